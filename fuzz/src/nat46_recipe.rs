//! The recipe of a flow and the general path give the same bytes.

use core::time::Duration;

use nat46::packet::Packet;
use nat46::{HEADROOM, PacketBuf, Translator};

use crate::case::Case;
use crate::nat46_packet::room_around;

const NOW: Duration = Duration::from_secs(1000);

/// A recipe made from one packet, applied to it and to a second one of the same flow, is the general path.
pub fn nat46_recipe(data: &[u8]) {
    let Some(case) = Case::read(data) else { return };
    let Ok(packet) = Packet::parse(&case.packet) else {
        return;
    };
    let bytes = &case.packet[..packet.len()];
    let mut general = Translator::new(case.config(), [7; 32]);
    let rewrite = case.rewrite(&packet);
    let Some(recipe) = general.recipe(&packet, &rewrite) else {
        return;
    };
    let mut quick = general.clone();

    let (mut memory, mut other) = (room_around(bytes), room_around(bytes));
    let range = HEADROOM..HEADROOM + bytes.len();
    let mut wanted = PacketBuf::new(&mut memory, range.clone()).unwrap();
    let mut found = PacketBuf::new(&mut other, range).unwrap();
    let links = case.links();
    assert_eq!(
        quick.apply(NOW, &recipe, &packet, links, &mut found),
        general.rewrite(NOW, &packet, &rewrite, links, &mut wanted),
    );
    assert_eq!(found.range(), wanted.range());
    assert_eq!(found.as_bytes(), wanted.as_bytes());
}
