//! Any text as resource files: findings in their places, and plans that keep the rules of partition.

use core::net::Ipv4Addr;

use egress_config::{Checked, Diagnostic, Level, Plan, PlanError, Sources, check};

/// Parts the texts of several files in one input.
const FILE_MARK: &str = "\n%%%\n";
/// Replicas that are planned from either end.
const PLANNED: u32 = 3;

/// Findings are sorted, lie inside their text, and an error is what keeps a plan from being made; the
/// replicas' slices are apart.
pub fn egress_config(data: &[u8]) {
    let input = String::from_utf8_lossy(data);
    let mut sources = Sources::new();
    for (index, text) in input.split(FILE_MARK).enumerate() {
        sources.add(format!("{index}.yaml"), text);
    }
    let checked = check(&sources);
    assert_eq!(
        checked.diagnostics(),
        check(&sources).diagnostics(),
        "not the same twice"
    );
    check_findings(&sources, checked.diagnostics());
    let any_error = checked
        .diagnostics()
        .iter()
        .any(|finding| finding.level == Level::Error);
    assert_eq!(checked.has_errors(), any_error);
    for egress in checked.egresses() {
        check_plans(&checked, &egress);
    }
}

fn check_findings(sources: &Sources, findings: &[Diagnostic]) {
    let mut last = (0, 0, 0);
    for finding in findings {
        let span = &finding.span;
        let text = sources.text(span.source).expect("a finding names its text");
        let marked = text
            .get(span.range.clone())
            .expect("a finding lies in its text");
        assert!(!marked.contains('\n'), "more than a line: {marked:?}");
        assert_eq!(
            span.line as usize,
            line_breaks(&text[..span.range.start]) + 1,
            "{finding}"
        );
        let place = (span.source, span.line, span.column);
        assert!(last <= place, "not sorted by place: {finding}");
        last = place;
    }
}

/// Line breaks of YAML (1.2.2 §5.4): CR LF, CR and LF.
fn line_breaks(text: &str) -> usize {
    text.replace("\r\n", "\n").matches(['\r', '\n']).count()
}

fn check_plans(checked: &Checked, egress: &str) {
    let first = match checked.plan_of(egress, 0) {
        Ok(plan) => plan,
        // Two resources of one name are an error.
        Err(PlanError::Faulty { .. } | PlanError::SeveralEgresses { .. }) => {
            assert!(checked.has_errors(), "no plan, but no error either");
            return;
        }
        Err(why) => panic!("no plan of {egress}: {why}"),
    };
    assert!(!checked.has_errors(), "a plan in spite of errors");
    let replicas = first.replicas;
    assert!(
        checked.plan_of(egress, replicas).is_err(),
        "a replica too many"
    );
    let mut previous: Option<Ipv4Addr> = None;
    let ends =
        (0..replicas.min(PLANNED)).chain(replicas.saturating_sub(PLANNED).max(PLANNED)..replicas);
    for replica in ends {
        let plan = checked
            .plan_of(egress, replica)
            .expect("every replica has a plan");
        assert_eq!((plan.replica, plan.replicas), (replica, replicas));
        check_partition(&plan, &mut previous);
    }
}

fn check_partition(plan: &Plan, previous: &mut Option<Ipv4Addr>) {
    let Some(dns46) = &plan.dns46 else { return };
    let (first, last) = (*dns46.slice.start(), *dns46.slice.end());
    assert!(first <= last, "an empty slice");
    assert!(dns46.subnet.contains(&first) && dns46.subnet.contains(&last));
    assert!(
        previous.is_none_or(|previous| previous < first),
        "slices overlap"
    );
    *previous = Some(last);
    assert!(first <= *dns46.usable.start() && *dns46.usable.end() <= last);
    assert!(!dns46.usable.contains(&dns46.subnet.network()));
    assert!(!dns46.usable.contains(&dns46.subnet.broadcast()));
    assert!(
        !dns46.subnet.contains(&dns46.sorry),
        "the sorry address is handed out"
    );
    if let Some(reserved) = &dns46.reserved {
        assert!(
            reserved.end() < dns46.slice.start(),
            "reserved addresses in the slice"
        );
    }
}
