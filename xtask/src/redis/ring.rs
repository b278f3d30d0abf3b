//! Three gateways, three servers with a Sentinel each, three pods and an outside, each in a namespace of its own.

use core::time::Duration;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use crate::lab::{Running, rest};
use crate::process::{program, read, text};
use crate::tree::Tree;

/// Replicas, servers and pods.
pub(crate) const COUNT: usize = 3;

/// What the Sentinels call the master.
pub(crate) const MASTER: &str = "egress";

/// Hosts outside: one for each name `nN.example`.
pub(crate) fn host(number: usize) -> String {
    format!("2001:db8:46:1::{number:x}")
}

const LINKS: &str = "
    -n @hub link add br-in type bridge
    -n @hub link add br-out type bridge
    -n @hub link add br-store type bridge
    -n @hub link set br-in up
    -n @hub link set br-out up
    -n @hub link set br-store up
    link add out netns @hub type veth peer name eth0 netns @out
    -n @hub link set out master br-out up
    -n @out link set eth0 up
    -n @out addr add 10.20.2.216/24 dev eth0
    -n @out addr add 2002::10:20:2:216/112 dev eth0 nodad
    -n @out -6 route add local 2001:db8:46:1::/64 dev lo
";

/// `#` is the number.
const GATEWAY_LINKS: &str = "
    link add g#in netns @hub type veth peer name eth0 netns @g#
    link add g#out netns @hub type veth peer name eth1 netns @g#
    link add g#st netns @hub type veth peer name eth2 netns @g#
    -n @hub link set g#in master br-in up
    -n @hub link set g#out master br-out up
    -n @hub link set g#st master br-store up
    -n @g# link set eth0 up
    -n @g# link set eth1 up
    -n @g# link set eth2 up
    -n @g# addr add 10.244.0.1#/16 dev eth0
    -n @g# addr add 10.20.2.1#/24 dev eth1
    -n @g# addr add 2002::10:20:2:1#/112 dev eth1 nodad
    -n @g# addr add 10.99.0.1#/24 dev eth2
    -n @g# route add default via 10.20.2.216
    -n @g# -6 route add default via 2002::10:20:2:216
    -n @out -6 route add 2002::10:50:2#:0/112 via 2002::10:20:2:1#
    link add s# netns @hub type veth peer name eth0 netns @s#
    -n @hub link set s# master br-store up
    -n @s# link set eth0 up
    -n @s# addr add 10.99.0.2#/24 dev eth0
    link add p# netns @hub type veth peer name eth0 netns @p#
    -n @hub link set p# master br-in up
    -n @p# link set eth0 up
    -n @p# addr add 10.244.1.1#/16 dev eth0
    -n @p# route add default via 10.244.0.10#
";

/// The first 16 addresses of the subnet are reserved.
const RESOURCES: &str = r#"
apiVersion: "k8s.f5net.com/v1"
kind: F5SPKDnscache
metadata: {name: cache, namespace: ring}
spec:
  cacheType: net-resolver
  netResolver:
    forwardZones:
      - forwardZone: .
        nameServers:
          - ipAddress: 10.20.2.216
            port: 53
---
apiVersion: "k8s.f5net.com/v1"
kind: F5SPKEgress
metadata: {name: egress, namespace: ring}
spec:
  egressSnatpool: pool
  dnsNat46Enabled: true
  dnsNat46PoolIps: ["10.20.2.216"]
  dnsNat46Ipv4Subnet: "10.46.0.0/15"
  maxTmmReplicas: 3
  maxReservedStaticIps: 16
  dnsCacheName: "ring-cache"
---
apiVersion: "k8s.f5net.com/v1"
kind: F5SPKSnatpool
metadata: {name: pool, namespace: ring}
spec:
  name: pool
  addressList:
    - ["2002::10:50:20:1", "10.20.2.120"]
    - ["2002::10:50:21:1", "10.20.2.121"]
    - ["2002::10:50:22:1", "10.20.2.122"]
---
apiVersion: "k8s.f5net.com/v1"
kind: F5SPKVlan
metadata: {name: vlan-in, namespace: ring}
spec:
  name: in
  interfaces: ["1.1"]
  internal: true
  selfip_v4s: [10.244.0.100, 10.244.0.101, 10.244.0.102]
  prefixlen_v4: 16
---
apiVersion: "k8s.f5net.com/v1"
kind: F5SPKVlan
metadata: {name: vlan-out, namespace: ring}
spec:
  name: out
  interfaces: ["1.2"]
  selfip_v4s: [10.20.2.100, 10.20.2.101, 10.20.2.102]
  prefixlen_v4: 24
  selfip_v6s: ["2002::10:20:2:100", "2002::10:20:2:101", "2002::10:20:2:102"]
  prefixlen_v6: 112
"#;

const UNBOUND: &str = r#"
server:
  username: ""
  chroot: ""
  pidfile: ""
  do-daemonize: no
  interface: 10.20.2.216
  access-control: 0.0.0.0/0 allow
  local-zone: "example." static
"#;

/// The namespaces and what runs in them.
pub(crate) struct Ring {
    prefix: String,
    pub(crate) folder: PathBuf,
    gateway: PathBuf,
    /// `redis` or `valkey`.
    kind: &'static str,
    pub(crate) servers: Vec<Option<Running>>,
    pub(crate) sentinels: Vec<Option<Running>>,
    pub(crate) gateways: Vec<Option<Running>>,
    others: Vec<Running>,
    logs: usize,
}

impl Ring {
    /// Builds it, with `names` names.
    pub(crate) fn up(tree: &Tree, kind: &'static str, names: usize) -> Result<Self, String> {
        let gateway = match std::env::var_os("E2E_GATEWAY") {
            Some(path) => PathBuf::from(path),
            None => {
                crate::host::build(tree)?;
                crate::host::program(tree)
            }
        };
        let mut ring = Self {
            prefix: format!("egr{}-", std::process::id()),
            folder: tree.target.join(format!("e2e-{kind}")),
            gateway,
            kind,
            servers: Vec::new(),
            sentinels: Vec::new(),
            gateways: Vec::new(),
            others: Vec::new(),
            logs: 0,
        };
        let _ = fs::remove_dir_all(&ring.folder);
        fs::create_dir_all(&ring.folder).map_err(|error| error.to_string())?;
        for space in ring.spaces() {
            read(program(tree, "ip", &format!("netns add {space}")))?;
            read(program(tree, "ip", &format!("-n {space} link set lo up")))?;
        }
        let numbered = (0..COUNT).map(|number| GATEWAY_LINKS.replace('#', &number.to_string()));
        for lines in core::iter::once(LINKS.to_owned()).chain(numbered) {
            for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
                read(program(tree, "ip", &line.replace('@', &ring.prefix)))?;
            }
        }
        let mut unbound = UNBOUND.to_owned();
        for number in 0..names {
            let host = host(number);
            unbound.push_str(&format!(
                "  local-data: \"n{number}.example. 300 IN AAAA {host}\"\n"
            ));
        }
        unbound.push_str("remote-control:\n  control-enable: no\n");
        ring.write("unbound.conf", &unbound)?;
        // A folder of its own: it is watched for changes.
        fs::create_dir_all(ring.folder.join("config")).map_err(|error| error.to_string())?;
        ring.write("config/resources.yaml", RESOURCES)?;
        ring.write("asker.py", include_str!("asker.py"))?;
        ring.write("echo.py", include_str!("echo.py"))?;
        let mut server = ring.command("out", "unbound");
        server.arg("-c").arg(ring.folder.join("unbound.conf"));
        ring.go(server, "unbound.log")?;
        let mut echo = ring.command("out", "python3");
        echo.arg(ring.folder.join("echo.py")).arg("serve");
        ring.go(echo, "echo.log")?;
        for number in 0..COUNT {
            ring.servers.push(None);
            ring.sentinels.push(None);
            ring.gateways.push(None);
            ring.start_server(number)?;
        }
        for number in 0..COUNT {
            ring.start_sentinel(number)?;
        }
        ring.until("the servers do not find each other", 20, |ring| {
            let known = ring.sentinel(0, &format!("SENTINEL CKQUORUM {MASTER}"))?;
            let replicas = ring.sentinel(0, &format!("SENTINEL REPLICAS {MASTER}"))?;
            let linked = replicas.matches("master-link-status\nok").count();
            if known.starts_with("OK 3") && linked == COUNT - 1 {
                Ok(())
            } else {
                Err(format!("{known}{linked} replicas are linked"))
            }
        })?;
        Ok(ring)
    }

    fn spaces(&self) -> Vec<String> {
        let numbered = ["g", "s", "p"]
            .iter()
            .flat_map(|kind| (0..COUNT).map(move |number| format!("{kind}{number}")));
        let names = ["hub".to_owned(), "out".to_owned()]
            .into_iter()
            .chain(numbered);
        names.map(|name| format!("{}{name}", self.prefix)).collect()
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> Result<(), String> {
        let path = self.folder.join(name);
        fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))
    }

    pub(crate) fn log(&self, name: &str) -> String {
        fs::read_to_string(self.folder.join(name)).unwrap_or_default()
    }

    /// A program in a namespace.
    pub(crate) fn command(&self, space: &str, name: &str) -> Command {
        let mut command = Command::new("ip");
        let space = format!("{}{space}", self.prefix);
        command
            .args(["netns", "exec", &space, name])
            .current_dir(&self.folder);
        command
    }

    /// What a program in a namespace prints; words apart by spaces.
    pub(crate) fn text(&self, space: &str, line: &str) -> Result<String, String> {
        let (name, arguments) = line.split_once(' ').unwrap_or((line, ""));
        let mut command = self.command(space, name);
        command.args(arguments.split_whitespace());
        text(command)
    }

    /// Starts a program that goes on.
    pub(crate) fn launch(&self, command: Command, log: &str) -> Result<Running, String> {
        Running::start(command, &self.folder.join(log))
    }

    fn go(&mut self, command: Command, log: &str) -> Result<(), String> {
        let running = self.launch(command, log)?;
        self.others.push(running);
        Ok(())
    }

    /// Where a server or Sentinel is.
    pub(crate) fn address(number: usize) -> String {
        format!("10.99.0.2{number}")
    }

    pub(crate) fn start_server(&mut self, number: usize) -> Result<(), String> {
        let folder = self.folder.join(format!("server-{number}"));
        fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        let mut server = self.command(&format!("s{number}"), &format!("{}-server", self.kind));
        let folder = folder.to_string_lossy().into_owned();
        server.args(["--bind", "0.0.0.0", "--protected-mode", "no", "--save", ""]);
        server.args(["--appendonly", "yes", "--repl-diskless-sync-delay", "0"]);
        server.args(["--dir", &folder]);
        if number > 0 {
            server.args(["--replicaof", &Self::address(0), "6379"]);
        }
        self.logs += 1;
        let log = format!("server-{number}-{}.log", self.logs);
        self.servers[number] = Some(self.launch(server, &log)?);
        Ok(())
    }

    fn start_sentinel(&mut self, number: usize) -> Result<(), String> {
        let name = format!("sentinel-{number}.conf");
        let master = Self::address(0);
        self.write(
            &name,
            &format!(
                "port 26379\nbind 0.0.0.0\nprotected-mode no\ndir {}\n\
                 sentinel monitor {MASTER} {master} 6379 2\n\
                 sentinel down-after-milliseconds {MASTER} 1000\n\
                 sentinel failover-timeout {MASTER} 5000\n\
                 sentinel parallel-syncs {MASTER} 2\n",
                self.folder.display()
            ),
        )?;
        let mut sentinel = self.command(&format!("s{number}"), &format!("{}-sentinel", self.kind));
        sentinel.arg(self.folder.join(&name));
        self.sentinels[number] = Some(self.launch(sentinel, &format!("sentinel-{number}.log"))?);
        Ok(())
    }

    /// How the gateways are told of the store.
    pub(crate) fn store() -> String {
        let sentinels: Vec<String> = (0..COUNT)
            .map(|number| format!("{}:26379", Self::address(number)))
            .collect();
        format!("redis-sentinel://{}/{MASTER}", sentinels.join(","))
    }

    /// A gateway in the namespace of a number.
    pub(crate) fn gateway(&self, number: usize, replica: &str, state: &str) -> Command {
        self.gateway_of(&Self::store(), number, replica, state)
    }

    /// The same, with another store.
    pub(crate) fn gateway_of(
        &self,
        store: &str,
        number: usize,
        replica: &str,
        state: &str,
    ) -> Command {
        let mut run = self.command(&format!("g{number}"), &self.gateway.to_string_lossy());
        run.args(["run", "--config"])
            .arg(self.folder.join("config"))
            .args(["--interface", "1.1=eth0", "--interface", "1.2=eth1"])
            .args(["--replica", replica, "--store", store, "--state"])
            .arg(self.folder.join(state));
        run
    }

    pub(crate) fn start_gateway(&mut self, number: usize) -> Result<(), String> {
        let run = self.gateway(number, &number.to_string(), &format!("state-{number}"));
        self.logs += 1;
        let log = format!("gateway-{number}-{}.log", self.logs);
        self.gateways[number] = Some(self.launch(run, &log)?);
        Ok(())
    }

    /// What a command of the program prints about the gateway of a number.
    pub(crate) fn ask(&self, number: usize, line: &str) -> Result<String, String> {
        self.ask_state(number, line, &format!("state-{number}"))
    }

    pub(crate) fn ask_state(
        &self,
        number: usize,
        line: &str,
        state: &str,
    ) -> Result<String, String> {
        let mut command = Command::new(&self.gateway);
        command
            .args(line.split_whitespace())
            .args(["--replica", &number.to_string(), "--state"])
            .arg(self.folder.join(state));
        text(command)
    }

    /// `/readyz` and the like.
    pub(crate) fn get(&self, number: usize, path: &str) -> Result<String, String> {
        let socket = format!("state-{number}/replica-{number}-admin.sock");
        let mut curl = Command::new("curl");
        curl.args(["-sS", "--max-time", "5", "--unix-socket"])
            .arg(self.folder.join(socket))
            .arg(format!("http://gateway{path}"));
        text(curl)
    }

    /// A command of a namespace near the servers, by the name `mrfdb`; its exit code, and what it prints.
    pub(crate) fn mrfdb(&self, line: &str) -> Result<(Option<i32>, String, String), String> {
        let link = self.folder.join("mrfdb");
        if !link.exists() {
            std::os::unix::fs::symlink(&self.gateway, &link).map_err(|error| error.to_string())?;
        }
        let mut command = self.command("s1", &link.to_string_lossy());
        command.args(line.split_whitespace());
        let output = command.output().map_err(|error| error.to_string())?;
        let told = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok((
            output.status.code(),
            told(&output.stdout),
            told(&output.stderr),
        ))
    }

    /// The program itself, in a namespace.
    pub(crate) fn own(&self, space: &str) -> Command {
        self.command(space, &self.gateway.to_string_lossy())
    }

    /// What a command of the program prints, near the servers.
    pub(crate) fn program(&self, line: &str) -> Result<String, String> {
        let mut command = self.own("s1");
        command.args(line.split_whitespace());
        text(command)
    }

    /// A command to a Sentinel.
    pub(crate) fn sentinel(&self, number: usize, line: &str) -> Result<String, String> {
        self.cli(number, 26379, line)
    }

    /// A command to the server of a number.
    pub(crate) fn server(&self, number: usize, line: &str) -> Result<String, String> {
        self.cli(number, 6379, line)
    }

    fn cli(&self, number: usize, port: u16, line: &str) -> Result<String, String> {
        self.text(
            &format!("s{number}"),
            &format!(
                "timeout 3 redis-cli -h {} -p {port} {line}",
                Self::address(number)
            ),
        )
    }

    /// The number of the server that is the master, as a Sentinel says.
    pub(crate) fn master(&self) -> Result<usize, String> {
        let mut last = "no Sentinel".to_owned();
        for number in 0..COUNT {
            match self.sentinel(
                number,
                &format!("SENTINEL get-master-addr-by-name {MASTER}"),
            ) {
                Ok(told) => {
                    let found = (0..COUNT).find(|number| told.starts_with(&Self::address(*number)));
                    return found.ok_or(told);
                }
                Err(why) => last = why,
            }
        }
        Err(last)
    }

    /// Tries until it works, for so many seconds.
    pub(crate) fn until<T>(
        &self,
        what: &str,
        seconds: u64,
        mut attempt: impl FnMut(&Self) -> Result<T, String>,
    ) -> Result<T, String> {
        let start = now();
        loop {
            let last = match attempt(self) {
                Ok(value) => return Ok(value),
                Err(why) => why,
            };
            if start.elapsed() > Duration::from_secs(seconds) {
                return Err(format!("{what}: {last}"));
            }
            rest(Duration::from_millis(100));
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "processes of the host are waited for, not deadlines of the gateway"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

impl Drop for Ring {
    fn drop(&mut self) {
        // What is stopped is killed all the same.
        self.gateways.clear();
        self.sentinels.clear();
        self.servers.clear();
        self.others.clear();
        for space in self.spaces() {
            let mut delete = Command::new("ip");
            delete.args(["netns", "del", &space]);
            let _ = read(delete);
        }
    }
}
