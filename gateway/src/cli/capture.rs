//! `capture ADDRESS`: packets of one address, as they are on both sides.

use core::net::IpAddr;
use core::time::Duration;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use super::show::{Socket, tell};
use crate::admin::client::Stream;

/// Write the packets of an address to a pcapng file: as they come, and as they leave.
///
/// The address may be that of a pod, of a host outside, a mapped one or a SNAT address. The comment of a
/// packet says what becomes of it, or why it was dropped. What the devices pass on as one packet of many
/// segments is one here too.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Whose packets.
    address: IpAddr,
    /// Where to; - for standard output.
    #[arg(short, long, default_value = "-", value_name = "FILE")]
    write: PathBuf,
    /// Stop after so many seconds; else at SIGINT.
    #[arg(short, long, value_name = "SECONDS")]
    seconds: Option<u64>,
    #[command(flatten)]
    socket: Socket,
}

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let to_stdout = arguments.write.as_os_str() == "-";
    if to_stdout && io::stdout().is_terminal() {
        eprintln!("error: a capture is no text: say -w FILE");
        return ExitCode::from(2);
    }
    let path = format!("/capture/{}", arguments.address);
    let stream = match arguments.socket.stream(&path) {
        Ok(stream) => stream,
        Err(error) => return tell(&error),
    };
    let out: Box<dyn Write> = if to_stdout {
        Box::new(io::stdout())
    } else {
        match File::create(&arguments.write) {
            Ok(file) => Box::new(file),
            Err(error) => {
                eprintln!("error: {}: {error}", arguments.write.display());
                return ExitCode::from(2);
            }
        }
    };
    eprintln!("capturing packets of {}", arguments.address);
    match copy(stream, out, arguments.seconds.map(Duration::from_secs)) {
        Ok(bytes) => {
            eprintln!("{bytes} bytes written");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(1)
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long a person watches; the gateway's own deadlines are elsewhere"
)]
fn copy(mut stream: Stream, mut out: impl Write, most: Option<Duration>) -> io::Result<usize> {
    let stop = signal_hook::flag::register;
    let stopped = alloc::sync::Arc::new(core::sync::atomic::AtomicBool::new(false));
    stop(signal_hook::consts::SIGINT, stopped.clone())?;
    let start = std::time::Instant::now();
    let mut bytes = 0;
    loop {
        let over = most.is_some_and(|most| start.elapsed() >= most);
        if over || stopped.load(core::sync::atomic::Ordering::Relaxed) {
            return Ok(bytes);
        }
        match stream.next()? {
            Some(piece) if piece.is_empty() => {}
            Some(piece) => {
                out.write_all(&piece)?;
                out.flush()?;
                bytes += piece.len();
            }
            None => return Ok(bytes),
        }
    }
}
