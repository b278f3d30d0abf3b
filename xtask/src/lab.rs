//! Network namespaces that stand for pods and for the outside, with the gateway between them.

use core::time::Duration;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::process::{exists, program, read, text};
use crate::tree::Tree;

/// A process in a namespace; ended when it goes out of scope.
pub(crate) struct Running {
    child: Child,
}

impl Running {
    /// Starts a program that goes on; what it prints goes to a file.
    pub(crate) fn start(mut command: Command, log: &Path) -> Result<Self, String> {
        let told = |error: std::io::Error| format!("{}: {error}", log.display());
        let file = File::create(log).map_err(told)?;
        let errors = file.try_clone().map_err(told)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(errors)
            .spawn()
            .map_err(told)?;
        Ok(Self { child })
    }

    /// Whether it ended, and how.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|ended| ended.is_some())
    }

    /// Sends a signal, by name.
    pub(crate) fn signal(&self, signal: &str) -> Result<(), String> {
        let mut kill = Command::new("kill");
        kill.args(["-s", signal, &self.child.id().to_string()]);
        read(kill).map(drop)
    }

    /// Waits for the end of a process that was told to.
    pub(crate) fn ended(mut self) -> Result<(), String> {
        let status = self.child.wait().map_err(|error| error.to_string())?;
        if status.success() {
            Ok(())
        } else {
            Err(format!("the gateway ended with {status}"))
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The namespaces: `gw` between `pod4` and `pod6` on one bridge, and `out`.
pub(crate) struct Lab {
    root: PathBuf,
    /// In front of all names, so that two labs do not meet.
    prefix: String,
    /// Files of this lab.
    pub(crate) folder: PathBuf,
    running: Vec<Running>,
}

pub(crate) const POD4: &str = "pod4";
pub(crate) const POD6: &str = "pod6";
pub(crate) const GATEWAY: &str = "gw";
pub(crate) const OUTSIDE: &str = "out";
/// Beyond the outside; made by who needs it.
pub(crate) const FAR: &str = "far";

/// Programs that the lab needs, and the Debian packages that hold them.
pub(crate) const PACKAGES: &[(&str, &str)] = &[
    ("bind9-dnsutils", "dig"),
    ("chromium", "chromium"),
    ("curl", "curl"),
    ("iperf3", "iperf3"),
    ("iproute2", "ip"),
    ("iputils-ping", "ping"),
    ("openssl", "openssl"),
    ("procps", "sysctl"),
    ("python3", "python3"),
    ("redis-sentinel", "redis-sentinel"),
    ("redis-server", "redis-server"),
    ("redis-tools", "redis-cli"),
    ("traceroute", "traceroute"),
    ("unbound", "unbound"),
];

/// What `egress-gateway lab up` builds; `@` is the prefix.
const LINKS: &str = include_str!("../../gateway/src/cli/lab/links.text");

/// Beyond that: the outside would send strangers' packets to the gateway.
const STRANGERS: &str = "
    -n @out route add 10.46.0.0/28 via 10.20.2.1
    -n @out -6 route add 2001:db8:64::/96 via 2002::10:20:2:1
";

const UNBOUND: &str = r#"
server:
  username: ""
  chroot: ""
  pidfile: ""
  do-daemonize: no
  interface: 10.20.2.216
  interface: 2002::10:20:2:216
  access-control: 0.0.0.0/0 allow
  access-control: ::/0 allow
  local-zone: "example." static
  local-data: "six.example. 300 IN AAAA 2001:db8:46::80"
  local-data: "far.example. 300 IN AAAA 2001:db8:46::81"
  local-data: "four.example. 300 IN A 203.0.113.80"
  local-data: "both.example. 300 IN A 203.0.113.80"
  local-data: "both.example. 300 IN AAAA 2001:db8:46::80"
remote-control:
  control-enable: no
"#;

impl Lab {
    /// Builds it, with a name server and a web server outside that has a file of `bytes`.
    pub(crate) fn up(tree: &Tree, bytes: usize) -> Result<Self, String> {
        crate::host::build(tree)?;
        let prefix = format!("egx{}-", std::process::id());
        let folder = tree.target.join("e2e-lab");
        let _ = std::fs::remove_dir_all(&folder);
        let made = std::fs::create_dir_all(folder.join("www"));
        made.map_err(|error| format!("{}: {error}", folder.display()))?;
        let mut lab = Self {
            root: tree.root.clone(),
            prefix,
            folder,
            running: Vec::new(),
        };
        for name in [GATEWAY, POD4, POD6, OUTSIDE] {
            let space = lab.space(name);
            read(program(tree, "ip", &format!("netns add {space}")))?;
            read(program(tree, "ip", &format!("-n {space} link set lo up")))?;
        }
        let lines = LINKS.lines().chain(STRANGERS.lines()).map(str::trim);
        for line in lines.filter(|line| !line.is_empty()) {
            read(program(tree, "ip", &line.replace('@', &lab.prefix)))?;
        }
        lab.write("unbound.conf", UNBOUND.as_bytes())?;
        // Bytes that differ everywhere, so that a page also proves its order.
        let page: Vec<u8> = (0..bytes as u64 / 8)
            .flat_map(|word| word.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes())
            .collect();
        lab.write("www/page", &page)?;
        let config = lab.folder.join("unbound.conf");
        let mut unbound = lab.command(OUTSIDE, "unbound");
        unbound.arg("-c").arg(config);
        lab.start(unbound, "unbound.log")?;
        lab.text(OUTSIDE, "sysctl -q -w net.core.somaxconn=4096")?;
        let mut web = lab.command(OUTSIDE, "python3");
        web.args(["-c", include_str!("web.py")])
            .current_dir(lab.folder.join("www"));
        lab.start(web, "web.log")?;
        Ok(lab)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), String> {
        let path = self.folder.join(name);
        let written = File::create(&path).and_then(|mut file| file.write_all(bytes));
        written.map_err(|error| format!("{}: {error}", path.display()))
    }

    /// The namespace of this name.
    pub(crate) fn space(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// A program in a namespace.
    pub(crate) fn command(&self, space: &str, name: &str) -> Command {
        let mut command = Command::new("ip");
        command
            .args(["netns", "exec", &self.space(space), name])
            .current_dir(&self.root);
        command
    }

    /// What a program in a namespace prints; words apart by spaces.
    pub(crate) fn text(&self, space: &str, line: &str) -> Result<String, String> {
        let (name, arguments) = line.split_once(' ').unwrap_or((line, ""));
        let mut command = self.command(space, name);
        command.args(arguments.split_whitespace());
        text(command)
    }

    /// Starts a program that goes on; what it prints goes to a file of the lab.
    pub(crate) fn launch(&self, command: Command, log: &str) -> Result<Running, String> {
        Running::start(command, &self.folder.join(log))
    }

    fn start(&mut self, command: Command, log: &str) -> Result<(), String> {
        let running = self.launch(command, log)?;
        self.running.push(running);
        Ok(())
    }

    /// What a program has printed.
    pub(crate) fn log(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.join(name)).unwrap_or_default()
    }

    /// Tries until it works, for at most ten seconds.
    pub(crate) fn until<T>(
        &self,
        what: &str,
        mut attempt: impl FnMut(&Self) -> Result<T, String>,
    ) -> Result<T, String> {
        let mut last = String::new();
        for _ in 0..50 {
            match attempt(self) {
                Ok(value) => return Ok(value),
                Err(why) => last = why,
            }
            pause_millis(200);
        }
        Err(format!("{what}: {last}"))
    }
}

/// Waits, where the moment does not matter.
pub(crate) fn pause_millis(millis: u64) {
    rest(Duration::from_millis(millis));
}

#[expect(
    clippy::disallowed_methods,
    reason = "processes of the host are waited for, not deadlines of the gateway"
)]
pub(crate) fn rest(length: Duration) {
    std::thread::sleep(length);
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.running.clear();
        for name in [GATEWAY, POD4, POD6, OUTSIDE, FAR] {
            let mut delete = Command::new("ip");
            delete.args(["netns", "del", &self.space(name)]);
            let _ = read(delete);
        }
    }
}

/// The packages that are missing.
pub(crate) fn missing() -> Vec<&'static str> {
    PACKAGES
        .iter()
        .filter(|(_, program)| !exists(program, flag(program)))
        .map(|(package, _)| *package)
        .collect()
}

fn flag(program: &str) -> &'static str {
    match program {
        "dig" => "-v",
        "ip" | "ping" | "unbound" => "-V",
        "openssl" => "version",
        _ => "--version",
    }
}
