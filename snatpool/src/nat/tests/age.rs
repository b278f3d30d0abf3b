//! Many sessions opened, aged and expired: what the most expensive call touches.

extern crate std;

use super::*;

/// No call may touch more slots and bitmap words.
const MOST: usize = 64;

/// How many calls touched how much.
struct Touched([u64; MOST + 1]);

impl Touched {
    fn count(&mut self, what: &str) {
        let touched = take() as usize;
        assert!(touched <= MOST, "{touched} slots and words in one {what}");
        self.0[touched] += 1;
    }

    /// The median and the most.
    fn sum_up(&self) -> (usize, usize) {
        let all: u64 = self.0.iter().sum();
        let mut below = 0;
        let median = self.0.iter().position(|count| {
            below += count;
            below * 2 >= all
        });
        let most = self.0.iter().rposition(|count| *count > 0);
        (median.unwrap(), most.unwrap())
    }
}

fn flow(index: u32) -> Tuple {
    let inside = IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + index / 32));
    let outside = IpAddr::V4(Ipv4Addr::from_bits(0xc633_6400 + index % 251));
    let port = 20_000 + (index % 32) as u16;
    Tuple {
        protocol: if index.is_multiple_of(3) {
            Protocol::Tcp
        } else {
            Protocol::Udp
        },
        source: TransportAddress::new(inside, port),
        destination: TransportAddress::new(outside, 443),
    }
}

/// Opens so many, half of them confirmed, with all that falls due meanwhile; then everything ends.
fn age(sessions: u32) {
    let addresses = (1..=8).map(|last| IpAddr::V4(Ipv4Addr::new(192, 0, 2, last)));
    let config = Config::new(sessions, vec![PoolConfig::new(addresses.collect())]);
    let mut nat = SnatPool::new(config, [7; 32]).unwrap();
    let made_with = (nat.slots(), nat.queue.first(), nat.drained.capacity());
    let mut touched = Touched([0; MOST + 1]);
    let mut now = Duration::from_secs(1);
    take();
    for index in 0..sessions {
        now += Duration::from_micros(20);
        let flow = flow(index);
        let signal = match flow.protocol {
            Protocol::Tcp => Signal::Tcp {
                flags: TcpFlags::SYN,
                sequence: 1,
            },
            Protocol::Udp | Protocol::Icmp => Signal::None,
        };
        let id = nat.bind(now, PODS, &flow, flow.destination.address, None, signal);
        touched.count("bind");
        while nat.poll_event().is_some() {}
        if index.is_multiple_of(2)
            && let Some(session) = id.ok().and_then(|id| nat.session(id))
        {
            let answer = match signal {
                Signal::None => Signal::None,
                Signal::Tcp { .. } => Signal::Tcp {
                    flags: TcpFlags::SYN.union(TcpFlags::ACK),
                    sequence: 1,
                },
            };
            take();
            let _ = nat.inbound(now, &session.outside.reversed(), answer);
            touched.count("inbound");
        }
        take();
    }
    assert_eq!(nat.stats().opened, u64::from(sessions));
    while let Some(due) = nat.poll_timeout() {
        now = now.max(due);
        nat.handle_timeout(now);
        touched.count("handle_timeout");
        while nat.poll_event().is_some() {}
        take();
    }
    let (median, most) = touched.sum_up();
    assert!(most <= 20 * median, "median {median}, most {most}");
    // All that was taken was given back, and nothing grew.
    assert_eq!((nat.stats().live, nat.holding, nat.taken), (0, 0, 0));
    assert_eq!(
        made_with,
        (nat.slots(), nat.queue.first(), nat.drained.capacity())
    );
    std::println!("{sessions} sessions: median {median}, most {most} slots and words a call");
}

/// `SNATPOOL_SESSIONS` says how many; `cargo xtask soak sessions` runs ten million.
#[test]
fn no_call_touches_more_than_64_slots() {
    let sessions = std::env::var("SNATPOOL_SESSIONS");
    age(sessions.map_or(100_000, |sessions| sessions.parse().unwrap()));
}
