//! `lab up|shell|down`: pods, a gateway and an outside on this host, to try everything on.

mod serve;

use core::fmt;
use core::time::Duration;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};

/// Build pods, an outside and a gateway between them in network namespaces of this host.
///
/// Needs root and `ip` (Debian: iproute2). Nothing outside the namespaces is touched, but
/// /etc/netns/egress-lab-*, which gives the pods their name server; `down` removes everything.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Build it, and start the gateway and the servers outside.
    Up,
    /// A shell in a pod: pod4 has IPv4 alone, pod6 IPv6 alone, out is outside, gw the gateway's host.
    Shell {
        /// Which.
        #[arg(value_enum, default_value_t = Space::Pod4)]
        space: Space,
        /// A command in place of a shell.
        #[arg(trailing_var_arg = true)]
        command: Vec<String>,
    },
    /// End it, and remove every trace.
    Down,
    /// The servers outside; `up` starts them.
    #[command(hide = true)]
    Serve,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Space {
    Pod4,
    Pod6,
    Gw,
    Out,
}

impl Space {
    const ALL: [Self; 4] = [Self::Pod4, Self::Pod6, Self::Gw, Self::Out];

    const fn name(self) -> &'static str {
        match self {
            Self::Pod4 => "egress-lab-pod4",
            Self::Pod6 => "egress-lab-pod6",
            Self::Gw => "egress-lab-gw",
            Self::Out => "egress-lab-out",
        }
    }
}

/// Where files of the lab are.
const FOLDER: &str = "/run/egress-lab";

/// What `ip netns exec` lays over /etc.
const ETC: &str = "/etc/netns";
/// There, if `up` made that directory.
const ETC_MADE: &str = "etc-netns.made";

/// How often it is looked whether something started or ended.
const LOOKS: Duration = Duration::from_millis(50);
/// How many looks a start, or an end, may take.
const MOST_LOOKS: u32 = 200;

/// As `ip` understands them; `@` stands for `egress-lab-`. The end-to-end tier builds the same.
///
/// Link-local addresses are given, not generated: for more than a second those are tentative, and until
/// then the kernel asks for no neighbour.
const LINKS: &str = include_str!("lab/links.text");

/// The resources of the lab.
const RESOURCES: [(&str, &str); 4] = [
    (
        "dnscache.yaml",
        include_str!("../../samples/sets/mixed/dnscache.yaml"),
    ),
    (
        "egress.yaml",
        include_str!("../../samples/sets/mixed/egress.yaml"),
    ),
    (
        "snatpool.yaml",
        include_str!("../../samples/sets/mixed/snatpool.yaml"),
    ),
    (
        "vlans.yaml",
        include_str!("../../samples/sets/mixed/vlans.yaml"),
    ),
];

#[derive(Debug, thiserror::Error)]
enum LabError {
    #[error("{what}: {error}")]
    Io { what: String, error: io::Error },
    #[error("ip {line}: {told}")]
    Ip { line: String, told: String },
    #[error("the lab is up already: say lab down first")]
    Up,
    #[error("there is no lab: say lab up first")]
    Down,
    #[error("the gateway does not start: {0}")]
    Gateway(String),
}

fn named(what: impl Into<String>) -> impl FnOnce(io::Error) -> LabError {
    let what = what.into();
    |error| LabError::Io { what, error }
}

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let result = match &arguments.action {
        Action::Up => up(),
        Action::Down => {
            down();
            say(format_args!("the lab is gone"));
            Ok(())
        }
        Action::Serve => serve::serve().map_err(named("servers outside")),
        Action::Shell { space, command } => return shell(*space, command),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

/// Whoever reads may have gone.
fn say(line: fmt::Arguments<'_>) {
    let _ = writeln!(io::stdout().lock(), "{line}");
}

fn up() -> Result<(), LabError> {
    if is_up() {
        return Err(LabError::Up);
    }
    let mut made = Made::default();
    let result = build(&mut made);
    if result.is_err() {
        made.undo();
    }
    result
}

/// What this `up` made; what bears a name of the lab and was there before is somebody else's.
#[derive(Default)]
struct Made {
    folder: bool,
    spaces: Vec<Space>,
    etc: bool,
    etc_of: Vec<PathBuf>,
    children: Vec<Child>,
}

impl Made {
    fn undo(self) {
        let mut children = self.children;
        let send = |child: &Child, signal| {
            let number = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
            number.map(|number| kill_process(number, signal))
        };
        for child in &children {
            send(child, Signal::TERM);
        }
        wait(|| {
            children.retain_mut(|child| matches!(child.try_wait(), Ok(None)));
            children.is_empty()
        });
        for mut child in children {
            let _ = child.kill();
            let _ = child.wait();
        }
        for space in self.spaces {
            let _ = ip(&format!("netns del {}", space.name()));
        }
        for etc in self.etc_of {
            let _ = fs::remove_dir_all(etc);
        }
        if self.etc {
            let _ = fs::remove_dir(ETC);
        }
        if self.folder {
            let _ = fs::remove_dir_all(FOLDER);
        }
    }
}

/// Whether `done` came within ten seconds.
#[expect(
    clippy::disallowed_methods,
    reason = "a process of another parent tells nobody when it ends"
)]
fn wait(mut done: impl FnMut() -> bool) -> bool {
    for _ in 0..MOST_LOOKS {
        if done() {
            return true;
        }
        thread::sleep(LOOKS);
    }
    done()
}

fn is_up() -> bool {
    Path::new(FOLDER).exists()
}

fn build(made: &mut Made) -> Result<(), LabError> {
    let folder = Path::new(FOLDER);
    let config = folder.join("resources");
    fs::create_dir(folder).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => LabError::Up,
        _ => named(FOLDER)(error),
    })?;
    made.folder = true;
    fs::create_dir(&config).map_err(named(FOLDER))?;
    for (name, text) in RESOURCES {
        fs::write(config.join(name), text).map_err(named(name))?;
    }
    for space in Space::ALL {
        ip(&format!("netns add {}", space.name()))?;
        made.spaces.push(space);
        ip(&format!("-n {} link set lo up", space.name()))?;
    }
    for line in LINKS.lines().map(str::trim).filter(|line| !line.is_empty()) {
        ip(&line.replace('@', "egress-lab-"))?;
    }
    if fs::create_dir(ETC).is_ok() {
        made.etc = true;
        fs::write(folder.join(ETC_MADE), "").map_err(named(ETC_MADE))?;
    }
    for (space, server) in [
        (Space::Pod4, "198.51.100.53"),
        (Space::Pod6, "2001:db8:53::53"),
    ] {
        let etc = Path::new(ETC).join(space.name());
        if !etc.exists() {
            fs::create_dir(&etc).map_err(named(etc.display().to_string()))?;
            made.etc_of.push(etc.clone());
        }
        let text = format!("nameserver {server}\n");
        fs::write(etc.join("resolv.conf"), text).map_err(named("resolv.conf"))?;
    }
    start(made, Space::Out, "servers", &["lab", "serve"])?;
    let (config, state) = (config.to_string_lossy(), folder.to_string_lossy());
    start(
        made,
        Space::Gw,
        "gateway",
        &["run", "--config", &config, "--state", &state],
    )?;
    await_gateway(made)?;
    say(format_args!(
        "Two pods, a gateway, and an outside with a name server and web servers.\n\n  \
         egress-gateway lab shell pod4     # IPv4 alone; then, in it:\n    \
         curl http://six.example/        # NAT46: that host has IPv6 alone\n    \
         curl http://four.example/       # SNAT\n    \
         ping six.example\n  \
         egress-gateway lab shell pod6     # IPv6 alone: curl http://four.example/ is NAT64\n  \
         egress-gateway show mappings --state {FOLDER}\n  \
         egress-gateway lab down\n\n\
         The gateway's log is {FOLDER}/gateway.log, its resources are in {FOLDER}/resources: change them, and see."
    ));
    Ok(())
}

fn ip(line: &str) -> Result<(), LabError> {
    let output = Command::new("ip")
        .args(line.split_whitespace())
        .output()
        .map_err(named("ip (Debian: iproute2)"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(LabError::Ip {
        line: line.to_owned(),
        told: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    })
}

fn within(space: Space, program: &Path) -> Command {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", space.name()]).arg(program);
    command
}

/// Starts this program with other arguments; its number is kept, so that `down` ends it.
fn start(made: &mut Made, space: Space, name: &str, arguments: &[&str]) -> Result<(), LabError> {
    let own = std::env::current_exe().map_err(named("this program"))?;
    let log = Path::new(FOLDER).join(format!("{name}.log"));
    let file = fs::File::create(&log).map_err(named(log.display().to_string()))?;
    let errors = file.try_clone().map_err(named(log.display().to_string()))?;
    let child = within(space, &own)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(file)
        .stderr(errors)
        .spawn()
        .map_err(named(name))?;
    let number = child.id();
    made.children.push(child);
    let began = began(number).map_err(named(name))?;
    let path = Path::new(FOLDER).join(format!("{name}.pid"));
    fs::write(path, format!("{number} {began}")).map_err(named(name))
}

/// Until the gateway, which was started last, can be asked.
fn await_gateway(made: &mut Made) -> Result<(), LabError> {
    let socket = Path::new(FOLDER).join("replica-0-admin.sock");
    let (mut is_there, mut ended) = (false, None);
    wait(|| {
        is_there = UnixStream::connect(&socket).is_ok();
        if let Some(child) = made.children.last_mut() {
            ended = child.try_wait().ok().flatten();
        }
        is_there || ended.is_some()
    });
    if is_there && ended.is_none() {
        return Ok(());
    }
    let log = fs::read_to_string(Path::new(FOLDER).join("gateway.log")).unwrap_or_default();
    let last = log.lines().rfind(|line| !line.trim().is_empty());
    let why = last.map_or_else(
        || match ended {
            Some(status) => status.to_string(),
            None => "it cannot be asked after 10 s".to_owned(),
        },
        |line| line.trim().to_owned(),
    );
    Err(LabError::Gateway(why))
}

/// When a process that has not ended began, in ticks since the host did: with its number, no other
/// process has that.
fn began(number: u32) -> io::Result<u64> {
    let stat = fs::read_to_string(format!("/proc/{number}/stat"))?;
    // The name before the last parenthesis may hold anything.
    let mut fields = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace();
    if matches!(fields.next(), None | Some("Z" | "X")) {
        return Err(io::Error::other("it ended at once"));
    }
    let began = fields.nth(18).and_then(|field| field.parse().ok());
    began.ok_or_else(|| io::Error::other("/proc tells no start"))
}

fn shell(space: Space, command: &[String]) -> ExitCode {
    if !is_up() {
        eprintln!("error: {}", LabError::Down);
        return ExitCode::from(2);
    }
    let shell = std::env::var_os("SHELL").unwrap_or_else(|| "/bin/sh".into());
    let (program, arguments) = match command.split_first() {
        Some((program, arguments)) => (program.into(), arguments),
        None => (shell, command),
    };
    let status = within(space, Path::new(&program))
        .args(arguments)
        .env("PS1", format!("{} # ", space.name()))
        .status();
    match status {
        Ok(status) => ExitCode::from(u8::try_from(status.code().unwrap_or(1)).unwrap_or(1)),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

/// A process that `up` started.
struct Started {
    number: u32,
    began: u64,
    space: Space,
}

impl Started {
    fn of(space: Space, name: &str) -> Option<Self> {
        let path = Path::new(FOLDER).join(format!("{name}.pid"));
        let text = fs::read_to_string(path).ok()?;
        let (number, began) = text.trim().split_once(' ')?;
        Some(Self {
            number: number.parse().ok()?,
            began: began.parse().ok()?,
            space,
        })
    }

    /// The number may be another's by now: that one began later, or lives elsewhere.
    fn is_alive(&self) -> bool {
        let identity = |path: String| {
            let found = fs::metadata(path).ok()?;
            Some((found.dev(), found.ino()))
        };
        let own = identity(format!("/proc/{}/ns/net", self.number));
        own.is_some()
            && own == identity(format!("/run/netns/{}", self.space.name()))
            && began(self.number).is_ok_and(|began| began == self.began)
    }

    fn send(&self, signal: Signal) {
        if self.is_alive()
            && let Some(number) = i32::try_from(self.number).ok().and_then(Pid::from_raw)
        {
            let _ = kill_process(number, signal);
        }
    }
}

/// Ends what `up` started, and removes what it made; what is not there need not be.
fn down() {
    let started = [(Space::Gw, "gateway"), (Space::Out, "servers")];
    let started: Vec<Started> = started
        .into_iter()
        .filter_map(|(space, name)| Started::of(space, name))
        .collect();
    for signal in [Signal::TERM, Signal::KILL] {
        for one in &started {
            one.send(signal);
        }
        // The gateway writes its sessions when it ends.
        if wait(|| !started.iter().any(Started::is_alive)) {
            break;
        }
    }
    for space in Space::ALL {
        let _ = ip(&format!("netns del {}", space.name()));
        let _ = fs::remove_dir_all(Path::new(ETC).join(space.name()));
    }
    if Path::new(FOLDER).join(ETC_MADE).exists() {
        let _ = fs::remove_dir(ETC);
    }
    let _ = fs::remove_dir_all(FOLDER);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_a_start_and_one_that_is_none_has_not() {
        let own = began(std::process::id()).unwrap();
        assert_eq!(began(std::process::id()).unwrap(), own);
        assert!(began(u32::MAX).is_err());
    }
}
