//! The counters as OpenMetrics text.

use core::fmt;

use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use super::Snapshot;

/// Renders a snapshot.
pub(crate) fn render(snapshot: Snapshot) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("egress");
    registry.register_collector(Box::new(Collected(snapshot)));
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

#[derive(Debug)]
struct Collected(Snapshot);

impl prometheus_client::collector::Collector for Collected {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Snapshot {
            virtual_servers,
            packets,
            drops,
            dns,
            mappings,
            free_addresses,
            sessions,
            addresses,
            store,
            ..
        } = &self.0;
        let servers = virtual_servers.iter().copied();
        let help = "Connections that clients opened";
        counters(&mut encoder, "connections", help, "virtual_server", servers)?;
        let of = |map: &alloc::collections::BTreeMap<&'static str, u64>| map.clone().into_iter();
        counters(
            &mut encoder,
            "packets",
            "Packets by their end",
            "end",
            of(packets),
        )?;
        counters(
            &mut encoder,
            "drops",
            "Packets that went no further",
            "reason",
            of(drops),
        )?;
        let is_gauge = |name: &str| name.starts_with("cache_");
        let counted = of(dns).filter(|(name, _)| !is_gauge(name));
        counters(&mut encoder, "dns", "DNS by event", "event", counted)?;
        let cache = of(dns).filter(|(name, _)| is_gauge(name));
        gauges(&mut encoder, "dns_cache", "The DNS cache", "what", cache)?;
        let help = "Addresses of the DNS46 subnet by state";
        let free = [("free", u64::from(*free_addresses))];
        gauges(
            &mut encoder,
            "mappings",
            help,
            "state",
            of(mappings).chain(free),
        )?;
        let is_counter = |name: &str| name == "opened";
        let lives = of(sessions).filter(|(name, _)| !is_counter(name));
        gauges(&mut encoder, "sessions", "Sessions", "what", lives)?;
        let counted = of(sessions).filter(|(name, _)| is_counter(name));
        let help = "Sessions by event";
        counters(&mut encoder, "session_events", help, "event", counted)?;
        if let Some(store) = store {
            let up = [
                ("up", u64::from(store.state == "up")),
                ("waiting", store.waiting),
            ];
            let help = "The store that replicas share: whether it is up, operations that wait";
            gauges(&mut encoder, "store", help, "what", up.into_iter())?;
            let counts = [
                ("journal_only", store.journal_only),
                ("lost", store.lost),
                ("found", store.found),
                ("changes", store.changes),
            ];
            let help = "What happened with the store";
            counters(
                &mut encoder,
                "store_events",
                help,
                "event",
                counts.into_iter(),
            )?;
        }
        let rows = addresses
            .iter()
            .map(|row| (row.address.as_str(), u64::from(row.sessions)));
        let help = "Sessions on each outside address";
        gauges(&mut encoder, "address_sessions", help, "address", rows)
    }
}

fn counters<'a>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    label: &str,
    rows: impl Iterator<Item = (&'a str, u64)>,
) -> fmt::Result {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    for (value, count) in rows {
        let labels = [(label, value)];
        ConstCounter::new(count).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}

fn gauges<'a>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    label: &str,
    rows: impl Iterator<Item = (&'a str, u64)>,
) -> fmt::Result {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for (value, count) in rows {
        let labels = [(label, value)];
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        ConstGauge::new(count).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}
