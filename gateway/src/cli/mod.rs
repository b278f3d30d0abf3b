//! The commands, one file each.

mod capture;
mod check;
mod crds;
mod demo;
mod diff;
mod doctor;
mod explain;
mod lab;
mod mappings;
mod mrfdb;
mod plan;
mod render;
mod replay;
mod resolve;
mod run;
mod shell;
mod show;
mod trace;

use std::process::ExitCode;

pub(crate) use mrfdb::by_name as mrfdb_by_name;
pub(crate) use run::ask::Questions;
pub(crate) use run::capture::Captures;
pub(crate) use run::events::Events;

/// An egress gateway for clusters: DNS46 with NAT46, NAT64 with DNS64, SNAT.
#[derive(Debug, clap::Parser)]
#[command(
    version,
    about,
    propagate_version = true,
    arg_required_else_help = true
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Demo(demo::Arguments),
    Run(Box<run::Arguments>),
    Show(show::Arguments),
    Mappings(mappings::Arguments),
    Mrfdb(mrfdb::Arguments),
    Trace(trace::Arguments),
    Capture(capture::Arguments),
    Replay(replay::Arguments),
    Resolve(resolve::Arguments),
    Doctor(doctor::Arguments),
    Lab(lab::Arguments),
    Flush(show::Flush),
    Tmctl(show::Tmctl),
    Check(check::Arguments),
    Plan(plan::Arguments),
    Diff(diff::Arguments),
    Explain(explain::Arguments),
    Crds(crds::Arguments),
    Completions(shell::Completions),
    Man(shell::Man),
}

impl Cli {
    /// Runs the command and returns what the program exits with.
    pub(crate) fn run(&self) -> ExitCode {
        match &self.command {
            Command::Demo(arguments) => demo::run(arguments),
            Command::Run(arguments) => run::run(arguments),
            Command::Show(arguments) => show::run(arguments),
            Command::Mappings(arguments) => mappings::run(arguments),
            Command::Mrfdb(arguments) => mrfdb::run(arguments),
            Command::Trace(arguments) => trace::run(arguments),
            Command::Capture(arguments) => capture::run(arguments),
            Command::Replay(arguments) => replay::run(arguments),
            Command::Resolve(arguments) => resolve::run(arguments),
            Command::Doctor(arguments) => doctor::run(arguments),
            Command::Lab(arguments) => lab::run(arguments),
            Command::Flush(arguments) => show::flush(arguments),
            Command::Tmctl(arguments) => show::tmctl(arguments),
            Command::Check(arguments) => check::run(arguments),
            Command::Plan(arguments) => plan::run(arguments),
            Command::Diff(arguments) => diff::run(arguments),
            Command::Explain(arguments) => explain::run(arguments),
            Command::Crds(arguments) => crds::run(arguments),
            Command::Completions(arguments) => shell::completions(arguments),
            Command::Man(arguments) => shell::man(arguments),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn no_option_is_there_twice() {
        super::Cli::command().debug_assert();
    }
}
