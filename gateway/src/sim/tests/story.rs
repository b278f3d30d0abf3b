//! Stories on one segment: the hosts talk to each other.

use super::*;

fn fetch(target: Target, page: Body) -> Errand {
    Errand::new(target, Act::Fetch { port: 80, page })
}

#[test]
fn a_page_of_one_megabyte_crosses_a_clean_link() {
    let errand = fetch(named("2001:db8::53", "www.example", 28), PAGE);
    let mut lan = Lan::new(1, LinkConfig::clean(), PAGE, vec![errand.once()]);
    let pod = lan.run();
    assert!(pod.succeeded(), "{:?}", pod.outcomes());
    assert_eq!(lan.net[lan.web].app().0.requests().len(), 1);
    assert_eq!(lan.net[lan.dns].app().queries().len(), 1);
    assert!(
        lan.net.now() < Duration::from_secs(5),
        "took {:?}",
        lan.net.now()
    );
}

#[test]
fn a_page_of_one_megabyte_crosses_a_link_that_loses_a_fifth() {
    for seed in 0..20 {
        let errand = fetch(named("2001:db8::53", "www.example", 28), PAGE);
        let mut lan = Lan::new(seed, LinkConfig::lossy(0.2), PAGE, vec![errand]);
        let pod = lan.run();
        assert!(pod.succeeded(), "seed {seed}: {:?}", pod.outcomes());
        let stats = lan.net.link_stats(lan.pod, 0);
        assert!(stats.lost > 0 && stats.reordered > 0 && stats.duplicated > 0);
    }
}
