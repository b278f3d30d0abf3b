//! F5SPKSnatpool.

use core::net::IpAddr;

use super::field::{Field, Listed};
use super::object::Decoder;
use super::{Identity, value};
use crate::code::Code;
use crate::parameter::{MOST_ADDRESSES, SNATPOOL};
use crate::report::Finding;
use crate::tree::{NodeId, Place};

/// An F5SPKSnatpool, decoded.
#[derive(Debug, Clone)]
pub(crate) struct Snatpool {
    pub(crate) identity: Identity,
    pub(crate) name: Field<String>,
    /// One a replica.
    pub(crate) lists: Vec<Listed<IpAddr>>,
    /// Of `addressList`.
    pub(crate) place: Place,
    /// `addressList` is absent or faulty: it has been told of.
    pub(crate) faulty: bool,
}

impl Snatpool {
    pub(super) fn decode(
        decoder: &mut Decoder<'_, '_, '_>,
        spec: Option<NodeId>,
        identity: &Identity,
    ) -> Self {
        let spec = decoder.object(spec, "spec", SNATPOOL, identity.place);
        let mut pool = Self {
            identity: identity.clone(),
            name: decoder.name(&spec, "name"),
            lists: Vec::new(),
            place: spec
                .key_place(decoder.tree(), "addressList")
                .unwrap_or_else(|| spec.place()),
            faulty: true,
        };
        if let Some((node, path)) = decoder.nested(&spec, "addressList") {
            let most = spec.most("addressList");
            pool.faulty = !decoder.is_list(node, most);
            let items = decoder.items(node, &path, most);
            pool.read_lists(decoder, items, &path);
        }
        pool
    }

    fn read_lists(&mut self, decoder: &mut Decoder<'_, '_, '_>, items: &[NodeId], path: &str) {
        let tree = decoder.tree();
        if !items.is_empty() && items.iter().all(|item| tree.text(*item).is_some()) {
            let message = "addressList is a list of addresses; all of them go to replica 0";
            let finding = Finding::new(Code::FlatAddressList, self.place, message)
                .help("write one list of addresses a replica");
            decoder.push(path, finding);
            self.lists.push(decoder.values(items, path, value::ip));
            return;
        }
        for (index, item) in items.iter().enumerate() {
            let path = format!("{path}[{index}]");
            let addresses = decoder.items(*item, &path, MOST_ADDRESSES);
            self.faulty |= !decoder.is_list(*item, MOST_ADDRESSES);
            self.lists.push(decoder.values(addresses, &path, value::ip));
        }
    }
}
