//! The story as a person wants to read it, and as a program does.

use core::fmt::Display;
use std::io::{self, Write};

use egress_config::Plan;
use egress_gateway::story::{Moment, Report, Told, Tour};
use serde_json::{Value, json};

use super::Played;
use super::acts::Act;
use crate::cli::show::columns;

/// Escape sequences, or nothing.
struct Colours {
    stage: &'static str,
    good: &'static str,
    bad: &'static str,
    faint: &'static str,
    plain: &'static str,
}

impl Colours {
    const ON: Self = Self {
        stage: "\x1b[36m",
        good: "\x1b[32m",
        bad: "\x1b[1;31m",
        faint: "\x1b[2m",
        plain: "\x1b[0m",
    };
    const OFF: Self = Self {
        stage: "",
        good: "",
        bad: "",
        faint: "",
        plain: "",
    };
}

pub(super) fn text(
    out: &mut impl Write,
    seed: u64,
    played: &Played,
    colour: bool,
) -> io::Result<()> {
    let colours = if colour { &Colours::ON } else { &Colours::OFF };
    if let Some((plan, report)) = &played.story {
        story(out, plan, seed, report, colours)?;
    }
    for (act, tour) in &played.tours {
        tour_of(out, *act, tour, colours)?;
    }
    let (packets, time) = played.size();
    let seconds = time.as_secs_f64();
    let trips: usize = played.tours.iter().map(|(_, tour)| tour.trips.len()).sum();
    let also = match (trips, played.story.is_some()) {
        (0, _) => "The whole story happened".to_owned(),
        (_, true) => format!("The whole story happened, and {trips} other trips succeeded"),
        (_, false) => format!("{trips} trips succeeded"),
    };
    match played.failed() {
        None => writeln!(
            out,
            "\n{}{also}{}: {packets} packets, {seconds:.1} s of virtual time.",
            colours.good, colours.plain
        ),
        Some(why) => writeln!(
            out,
            "\n{}Failed{}: {why} ({packets} packets, {seconds:.1} s of virtual time)",
            colours.bad, colours.plain
        ),
    }
}

/// An act that is made of trips.
fn tour_of(out: &mut impl Write, act: Act, tour: &Tour, colours: &Colours) -> io::Result<()> {
    writeln!(
        out,
        "\nact {}: {} ({} packets, {:.0} s)\n",
        act.name(),
        act.shows(),
        tour.capture.frames.len(),
        tour.ended_at.as_secs_f64()
    )?;
    for trip in &tour.trips {
        let (mark, style) = match trip.outcome {
            Ok(()) => ("ok", colours.good),
            Err(_) => ("failed", colours.bad),
        };
        writeln!(out, "  {style}{mark:<7}{}{}", colours.plain, trip.title)?;
        for Moment { at, text } in &trip.moments {
            let at = at.map_or_else(String::new, |at| format!("{:.4} s", at.as_secs_f64()));
            writeln!(out, "{}{at:>16}{}  {text}", colours.faint, colours.plain)?;
        }
        if let Err(why) = &trip.outcome {
            writeln!(out, "{:>16}  {}{why}{}", "", colours.bad, colours.plain)?;
        }
    }
    Ok(())
}

fn story(
    out: &mut impl Write,
    plan: &Plan,
    seed: u64,
    report: &Report,
    colours: &Colours,
) -> io::Result<()> {
    head(out, plan, seed, report)?;
    for (pod, name) in ["pod-a", "pod-b"].into_iter().enumerate() {
        let (address, wanted) = (report.cast.pods[pod], &report.cast.names[pod]);
        writeln!(out, "\n{name}, {address}, wants http://{wanted}/\n")?;
        stages(out, report, Some(pod), colours)?;
    }
    writeln!(out, "\nboth pods\n")?;
    stages(out, report, None, colours)?;

    writeln!(out)?;
    let rows = report.virtual_servers.iter();
    table(
        out,
        &["name", "clientside.tot_conns"],
        rows.map(|(name, connections)| vec![(*name).to_owned(), connections.to_string()]),
    )?;
    writeln!(out, "\nmappings at the end")?;
    table(
        out,
        &["address", "stands for", "state", "sessions"],
        report.mappings.iter().map(|mapping| {
            let state = format!("{:?}", mapping.state).to_lowercase();
            let (address, host) = (mapping.address.to_string(), mapping.host.to_string());
            vec![address, host, state, mapping.sessions.to_string()]
        }),
    )?;
    writeln!(out, "\nsessions when the second page was there")?;
    table(
        out,
        &["client", "to", "leaves as", "to", "state"],
        report.sessions.iter().map(|session| {
            let (inside, outside) = (session.inside, session.outside);
            vec![
                inside.source.to_string(),
                inside.destination.to_string(),
                outside.source.to_string(),
                outside.destination.to_string(),
                format!("{:?}", session.state).to_lowercase(),
            ]
        }),
    )?;
    writeln!(out, "\ncache")?;
    let rows = report.cache.iter();
    table(
        out,
        &["what", "count"],
        rows.map(|(name, count)| vec![(*name).to_owned(), count.to_string()]),
    )
}

/// Who plays, and where.
fn head(out: &mut impl Write, plan: &Plan, seed: u64, report: &Report) -> io::Result<()> {
    let cast = &report.cast;
    writeln!(
        out,
        "Two IPv4-only pods fetch a page each from web servers that have only IPv6.\n\
         {}, replica {} of {}, seed {seed}, on a simulated network in virtual time.\n",
        plan.egress, plan.replica, plan.replicas
    )?;
    let [first, second] = cast.pods.map(|address| address.to_string());
    let width = first.len().max(second.len());
    let outside = cast
        .servers
        .iter()
        .map(|server| format!("name server {server}"))
        .chain((0..2).map(|pod| format!("web server  {} ({})", cast.hosts[pod], cast.names[pod])));
    let outside: Vec<String> = outside.collect();
    let middle = outside.len() / 2;
    for (row, text) in outside.iter().enumerate() {
        let pod = match row {
            0 => format!("  pod-a {first:width$} --+"),
            _ if row + 1 == outside.len() => format!("  pod-b {second:width$} --+"),
            _ => format!("        {:width$}   |", ""),
        };
        let gateway = if row == middle {
            "-- gateway --"
        } else {
            "             "
        };
        writeln!(out, "{pod}{gateway}+-- {text}")?;
    }
    Ok(())
}

fn stages(
    out: &mut impl Write,
    report: &Report,
    pod: Option<usize>,
    colours: &Colours,
) -> io::Result<()> {
    for told in report.told.iter().filter(|told| told.pod == pod) {
        let mut stage = told.stage.name();
        for Moment { at, text } in &told.moments {
            let at = at.map_or_else(String::new, |at| format!("{:.4} s", at.as_secs_f64()));
            writeln!(
                out,
                "{}{at:>12}{}  {}{stage:<9}{}  {text}",
                colours.faint, colours.plain, colours.stage, colours.plain
            )?;
            stage = "";
        }
        if let Err(why) = &told.outcome {
            writeln!(
                out,
                "{:>12}  {}{stage:<9}  {why}{}",
                "", colours.bad, colours.plain
            )?;
        }
    }
    Ok(())
}

/// A table as `tmctl` prints it.
fn table(
    out: &mut impl Write,
    head: &[&str],
    rows: impl Iterator<Item = Vec<String>>,
) -> io::Result<()> {
    out.write_all(columns(head, rows).as_bytes())
}

pub(super) fn json(out: &mut impl Write, seed: u64, played: &Played) -> io::Result<()> {
    let (packets, time) = played.size();
    let mut value = json!({
        "seed": seed,
        "succeeded": played.failed().is_none(),
        "reason": played.failed(),
        "acts": played.tours.iter().map(tour_value).collect::<Vec<_>>(),
        "packets": packets,
        "virtual_seconds": time.as_secs_f64(),
    });
    if let (Some((plan, report)), Value::Object(all)) = (&played.story, &mut value)
        && let Value::Object(story) = story_value(plan, report)
    {
        all.extend(story);
    }
    writeln!(out, "{value:#}")
}

fn tour_value((act, tour): &(Act, Tour)) -> Value {
    let trips = tour.trips.iter().map(|trip| {
        json!({
            "title": trip.title,
            "succeeded": trip.outcome.is_ok(),
            "reason": trip.outcome.as_ref().err(),
            "moments": moments(&trip.moments),
        })
    });
    json!({
        "act": act.name(),
        "trips": trips.collect::<Vec<_>>(),
        "packets": tour.capture.frames.len(),
        "virtual_seconds": tour.ended_at.as_secs_f64(),
    })
}

fn story_value(plan: &Plan, report: &Report) -> Value {
    let failed = report.failed();
    let counts = |rows: &[(&'static str, u64)]| -> Value {
        rows.iter()
            .map(|(name, count)| ((*name).to_owned(), json!(count)))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    let sessions = report.sessions.iter().map(|session| {
        json!({
            "client": text_of(session.inside.source),
            "to": text_of(session.inside.destination),
            "leaves_as": text_of(session.outside.source),
            "peer": text_of(session.outside.destination),
            "state": format!("{:?}", session.state).to_lowercase(),
        })
    });
    let mappings = report.mappings.iter().map(|mapping| {
        json!({
            "address": text_of(mapping.address),
            "host": text_of(mapping.host),
            "state": format!("{:?}", mapping.state).to_lowercase(),
            "sessions": mapping.sessions,
        })
    });
    json!({
        "egress": plan.egress,
        "replica": plan.replica,
        "failed_stage": failed.map(|(stage, _)| stage.name()),
        "stages": report.told.iter().map(told).collect::<Vec<_>>(),
        "virtual_server_stat": counts(&report.virtual_servers),
        "mappings": mappings.collect::<Vec<_>>(),
        "sessions": sessions.collect::<Vec<_>>(),
        "cache": counts(&report.cache),
    })
}

fn told(told: &Told) -> Value {
    json!({
        "stage": told.stage.name(),
        "pod": told.pod.map(|pod| ["pod-a", "pod-b"][pod]),
        "succeeded": told.outcome.is_ok(),
        "reason": told.outcome.as_ref().err(),
        "moments": moments(&told.moments),
    })
}

fn moments(moments: &[Moment]) -> Vec<Value> {
    let values = moments.iter().map(|moment| {
        json!({
            "at_seconds": moment.at.map(|at| at.as_secs_f64()),
            "text": moment.text,
        })
    });
    values.collect()
}

fn text_of(value: impl Display) -> String {
    value.to_string()
}
