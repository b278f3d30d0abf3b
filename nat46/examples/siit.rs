//! Stateless translation (RFC 7915) between two TUN devices: what is routed to `siit4` comes out of
//! `siit6` as IPv6, and back. Needs root.
//!
//! ```sh
//! cargo run -p nat46 --example siit -- 2001:db8:64::/96 192.0.2.1/32=2001:db8::1/128
//! ip link set siit4 up && ip route add 198.51.100.0/24 dev siit4      # the IPv4 side
//! ip link set siit6 up && ip -6 route add 2001:db8:64::/96 dev siit6   # the IPv6 side
//! ```

use core::error::Error;
use std::os::fd::AsRawFd;
use std::time::Instant;

use nat46::address::rfc6052::Prefix;
use nat46::address::rfc7757::{Mapping, Siit};
use nat46::packet::Packet;
use nat46::{Config, HEADROOM, Links, PacketBuf, Translator, Verdict};
use smoltcp::phy::{Device, Medium, RxToken, TunTapInterface, TxToken, wait};
use smoltcp::time::Instant as Moment;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let prefix = arguments.next().ok_or("usage: siit PREFIX [V4=V6]…")?;
    let prefix = Prefix::new(prefix.parse()?)?;
    let rows = arguments.map(|row| -> Result<Mapping, Box<dyn Error>> {
        let (ipv4, ipv6) = row.split_once('=').ok_or("a row is V4/LENGTH=V6/LENGTH")?;
        Ok(Mapping::new(ipv4.parse()?, ipv6.parse()?)?)
    });
    let rows = rows.collect::<Result<Vec<Mapping>, _>>()?;
    let siit = Siit::new(&rows, prefix);
    let mut sides = [
        TunTapInterface::new("siit4", Medium::Ip)?,
        TunTapInterface::new("siit6", Medium::Ip)?,
    ];
    // Fixed, so that the example needs no library for entropy; a real one draws it.
    let mut translator = Translator::new(Config::DEFAULT, [7; 32]);
    let links = Links {
        mtu_in: 1500,
        mtu_out: 1500,
    };
    #[expect(clippy::disallowed_methods, reason = "a program has a clock")]
    let start = Instant::now();
    let mut bytes = [0; HEADROOM + 2048];
    let mut translate = |buf: &mut PacketBuf<'_>| -> Option<Verdict> {
        let (now, packet) = (start.elapsed(), Packet::parse(buf.as_bytes()).ok()?);
        if let Some(quoted) = packet.quoted(buf.as_bytes()) {
            // RFC 7600's dummy address stands in for routers without an IPv4 address.
            let dummy = Some([192, 0, 0, 8].into());
            let new = siit.rewrite_error(&packet, &quoted, dummy).ok()?;
            return Some(translator.rewrite_error(now, &packet, &new, links, buf));
        }
        let rewrite = siit.rewrite(&packet).ok()?;
        Some(translator.rewrite(now, &packet, &rewrite, links, buf))
    };
    loop {
        for side in 0..2 {
            let pause = smoltcp::time::Duration::from_millis(1);
            wait(sides[side].as_raw_fd(), Some(pause))?;
            while let Some((received, _)) = sides[side].receive(Moment::ZERO) {
                let length = received.consume(|packet| {
                    bytes[HEADROOM..HEADROOM + packet.len()].copy_from_slice(packet);
                    packet.len()
                });
                let Some(mut buf) = PacketBuf::new(&mut bytes, HEADROOM..HEADROOM + length) else {
                    continue;
                };
                let to = match translate(&mut buf) {
                    Some(Verdict::Forward) => 1 - side,
                    Some(Verdict::Reply(_)) => side,
                    _ => continue,
                };
                if let Some(sending) = sides[to].transmit(Moment::ZERO) {
                    let packet = buf.as_bytes();
                    sending.consume(packet.len(), |into| into.copy_from_slice(packet));
                }
            }
        }
    }
}
