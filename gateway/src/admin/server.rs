//! HTTP on a Unix socket that only its owner may open; a thread of its own.

use core::future::Future;
use core::net::{IpAddr, SocketAddr};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use axum::extract::{DefaultBodyLimit, Path as Segment, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::serve::Listener;
use axum::{Json, Router};
use egress_gateway::Probe;
use hickory_proto::op::{Message, MessageType, OpCode};
use hickory_proto::rr::{Name, RecordType};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustix::event::EventfdFlags;
use serde::Deserialize;
use snatpool::Protocol;
use tokio::sync::{Semaphore, oneshot};

use super::{Answer, Entry, Request, http};

/// Requests that may wait for the data thread.
const WAITING: usize = 64;
/// How often, and how many times, it is looked for a reply.
const REPLY_PAUSE: core::time::Duration = core::time::Duration::from_millis(10);
const REPLY_TRIES: u32 = 800;
/// Connections at a time to one socket: descriptors are left for everything else.
const CONNECTIONS: usize = 32;
/// How long a request's head may take.
const HEAD_WAIT: core::time::Duration = core::time::Duration::from_secs(5);
/// Packets of a capture that may wait to be sent on.
const CAPTURED: usize = 4096;

type Asked = (Request, oneshot::Sender<Answer>);

/// The data thread's end.
pub(crate) struct Admin {
    requests: Receiver<Asked>,
    /// Readable while requests wait.
    wake: OwnedFd,
    path: PathBuf,
    data: Data,
}

/// Where an answer goes.
#[derive(Debug)]
pub(crate) struct Reply(oneshot::Sender<Answer>);

impl Reply {
    pub(crate) fn send(self, answer: Answer) {
        // Whoever asked may have gone.
        let _ = self.0.send(answer);
    }
}

#[derive(Clone)]
pub(super) struct Data {
    requests: SyncSender<Asked>,
    bell: alloc::sync::Arc<OwnedFd>,
}

impl Admin {
    /// Listens on a socket at `path`. One that a life before left behind is replaced.
    pub(crate) fn listen(path: &Path) -> io::Result<Self> {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let listener = UnixListener::bind(path)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
        listener.set_nonblocking(true)?;
        let (sender, requests) = sync_channel(WAITING);
        const FLAGS: EventfdFlags = EventfdFlags::SEMAPHORE
            .union(EventfdFlags::NONBLOCK)
            .union(EventfdFlags::CLOEXEC);
        let wake = rustix::event::eventfd(0, FLAGS)?;
        let data = Data {
            requests: sender,
            bell: alloc::sync::Arc::new(wake.try_clone()?),
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let served = routes(data.clone());
        thread::Builder::new()
            .name("admin".to_owned())
            .spawn(move || {
                let _ = runtime.block_on(async {
                    let listener = tokio::net::UnixListener::from_std(listener)?;
                    answer_all(listener, served).await
                });
            })?;
        Ok(Self {
            requests,
            wake,
            path: path.to_owned(),
            data,
        })
    }

    /// Listens on a loopback address too, for those who know the token.
    pub(crate) fn listen_http(&self, address: SocketAddr, token: &str) -> io::Result<()> {
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let served = http::guarded(routes(self.data.clone()), token);
        thread::Builder::new()
            .name("http".to_owned())
            .spawn(move || {
                let _ = runtime.block_on(async {
                    let listener = tokio::net::TcpListener::from_std(listener)?;
                    answer_all(listener, served).await
                });
            })?;
        Ok(())
    }

    /// Hands over one request that waits, to be [replied](Reply::send) to; for a further one the bell is
    /// still heard, so that packets have their turn before it.
    pub(crate) fn serve(&self, mut answer: impl FnMut(&Request, Reply)) {
        // Each request was there before it was rung for.
        let rung = rustix::io::read(&self.wake, &mut [0; 8]).is_ok();
        if rung && let Ok((request, reply)) = self.requests.try_recv() {
            answer(&request, Reply(reply));
        }
    }
}

impl AsFd for Admin {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Data {
    /// Has the data thread answer.
    pub(super) async fn ask(&self, request: Request) -> Response {
        match self.answer(request).await {
            Some(Answer::Destinations(rows)) => Json(rows).into_response(),
            Some(Answer::Stats(snapshot)) => Json(snapshot).into_response(),
            Some(Answer::Status(status)) => Json(status).into_response(),
            Some(Answer::Events(rows)) => Json(rows).into_response(),
            Some(Answer::Trace(report)) => Json(report).into_response(),
            Some(Answer::Replicas(rows)) => Json(rows).into_response(),
            Some(Answer::Imported(imported)) => Json(imported).into_response(),
            Some(
                Answer::Asked(_)
                | Answer::Replied(_)
                | Answer::Mappings(_)
                | Answer::Sessions(_)
                | Answer::Flushed(..),
            ) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
            Some(Answer::Done(told)) => format!("{told}\n").into_response(),
            Some(Answer::Refused(why)) => {
                (StatusCode::CONFLICT, format!("{why}\n")).into_response()
            }
            None => busy(),
        }
    }

    /// Packets as pcapng, until whoever asked goes.
    async fn capture(&self, address: IpAddr) -> Response {
        let (tap, packets) = tokio::sync::mpsc::channel(CAPTURED);
        let started = self.ask(Request::Capture(address, tap)).await;
        if !started.status().is_success() {
            return started;
        }
        let body = futures_util::stream::unfold(packets, async |mut packets| {
            let packet = packets.recv().await?;
            Some((Ok::<_, core::convert::Infallible>(packet), packets))
        });
        let kind = [(header::CONTENT_TYPE, "application/x-pcapng")];
        (kind, axum::body::Body::from_stream(body)).into_response()
    }

    pub(super) async fn answer(&self, request: Request) -> Option<Answer> {
        let (sender, answer) = oneshot::channel();
        self.requests.try_send((request, sender)).ok()?;
        let _ = rustix::io::write(&*self.bell, &1_u64.to_ne_bytes());
        answer.await.ok()
    }

    /// Asks for a name as a pod does, and waits for the reply.
    async fn resolve(&self, name: &str, kind: &str, pod: Option<IpAddr>) -> Response {
        let Some(query) = query(name, kind) else {
            return bad("a domain name and a type were expected, as /resolve/example.com/A");
        };
        let number = match self.answer(Request::Ask { pod, query }).await {
            Some(Answer::Asked(number)) => number,
            Some(Answer::Refused(why)) => return bad(why),
            _ => return busy(),
        };
        for _ in 0..REPLY_TRIES {
            tokio::time::sleep(REPLY_PAUSE).await;
            match self.answer(Request::Asked(number)).await {
                Some(Answer::Replied(Some(reply))) => {
                    let kind = [(header::CONTENT_TYPE, "application/dns-message")];
                    return (kind, reply).into_response();
                }
                Some(Answer::Replied(None)) => {}
                _ => return busy(),
            }
        }
        (StatusCode::GATEWAY_TIMEOUT, "no reply\n").into_response()
    }

    /// Ready as soon as it answers: a store that is away keeps nothing from going on, and is told.
    async fn ready(&self) -> Response {
        let Some(Answer::Stats(snapshot)) = self.answer(Request::Stats).await else {
            return busy();
        };
        let store = snapshot.store.as_ref().map(|store| store.state);
        let replica = snapshot.replica;
        Json(serde_json::json!({"ready": true, "replica": replica, "store": store})).into_response()
    }
}

/// Serves whoever connects, so many at a time; others wait in the kernel. One that does not send a
/// request's head in time is let go, between two requests too.
async fn answer_all(mut listener: impl Listener, routes: Router) -> io::Result<()> {
    let room = alloc::sync::Arc::new(Semaphore::new(CONNECTIONS));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_WAIT);
    loop {
        let place = room.clone().acquire_owned().await;
        let (stream, _) = listener.accept().await;
        let service = TowerToHyperService::new(routes.clone());
        let served = http.serve_connection(TokioIo::new(stream), service);
        tokio::spawn(async move {
            // Whoever asked may have gone.
            let _ = served.await;
            drop(place);
        });
    }
}

pub(super) fn busy() -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, "busy\n").into_response()
}

fn bad(why: impl core::fmt::Display) -> Response {
    (StatusCode::BAD_REQUEST, format!("{why}\n")).into_response()
}

/// A handler that asks one thing.
fn asks(request: Request) -> impl Fn(State<Data>) -> Boxed + Clone {
    move |State(data): State<Data>| {
        let request = request.clone();
        Box::pin(async move { data.ask(request).await })
    }
}

type Boxed = core::pin::Pin<Box<dyn Future<Output = Response> + Send>>;

/// The status page; what it shows it asks for itself.
async fn page() -> Response {
    const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; \
                          connect-src 'self'; img-src data:; base-uri 'none'; frame-ancestors 'none'";
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (headers, include_str!("page.html")).into_response()
}

/// Bytes that an import may have: a line of 64 for each of a million entries.
const BODY: usize = 64 << 20;

/// A query as a pod would send it.
fn query(name: &str, kind: &str) -> Option<Vec<u8>> {
    let mut query = Message::new(7, MessageType::Query, OpCode::Query);
    let name = Name::from_ascii(name).ok()?;
    let kind = match kind.parse::<u16>() {
        Ok(number) => RecordType::from(number),
        Err(_) => kind.to_uppercase().parse().ok()?,
    };
    let mut name = name;
    name.set_fqdn(true);
    query.add_query(hickory_proto::op::Query::query(name, kind));
    query.metadata.recursion_desired = true;
    query.to_vec().ok()
}

#[derive(Debug, Deserialize)]
struct By {
    #[serde(rename = "as")]
    pod: Option<IpAddr>,
}

#[derive(Debug, Deserialize)]
struct From {
    #[serde(default)]
    after: u64,
}

#[derive(Debug, Deserialize)]
struct Asking {
    source: String,
    destination: String,
    #[serde(default)]
    protocol: Option<String>,
}

impl Asking {
    /// Ports may be left out: then it is about ICMP, or any source port.
    fn probe(&self) -> Result<Probe, String> {
        let read = |text: &str| -> Result<(SocketAddr, bool), String> {
            let with_port = text.parse().map(|whole: SocketAddr| (whole, true));
            let without = || {
                text.parse()
                    .map(|ip: IpAddr| (SocketAddr::new(ip, 0), false))
            };
            with_port
                .or_else(|_| without())
                .map_err(|_| format!("{text}: an address was expected, as 10.1.0.7, 10.1.0.7:443 or [2001:db8::7]:443"))
        };
        let (source, _) = read(&self.source)?;
        let (destination, has_port) = read(&self.destination)?;
        let protocol = match self.protocol.as_deref() {
            Some("tcp") => Protocol::Tcp,
            Some("udp") => Protocol::Udp,
            Some("icmp") => Protocol::Icmp,
            None if has_port => Protocol::Tcp,
            None => Protocol::Icmp,
            Some(other) => return Err(format!("{other}: tcp, udp or icmp was expected")),
        };
        if protocol != Protocol::Icmp && !has_port {
            return Err(format!("{}: a port was expected", self.destination));
        }
        Ok(Probe {
            protocol,
            source,
            destination,
        })
    }
}

fn routes(data: Data) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route(
            "/readyz",
            get(async |State(data): State<Data>| data.ready().await),
        )
        .route(
            "/metrics",
            get(async |State(data): State<Data>| data.metrics().await),
        )
        .route("/", get(page))
        .route(
            "/status",
            get(async |State(data): State<Data>| data.status().await),
        )
        .route(
            "/stats",
            get(async |State(data): State<Data>| data.stats().await),
        )
        .route("/replicas", get(asks(Request::Replicas)))
        .route(
            "/events",
            get(async |State(data): State<Data>, Query(from): Query<From>| {
                let after = from.after;
                data.ask(Request::Events { after }).await
            }),
        )
        .route(
            "/resolve/{name}/{kind}",
            get(
                async |State(data): State<Data>,
                       Segment((name, kind)): Segment<(String, String)>,
                       Query(by): Query<By>| {
                    data.resolve(&name, &kind, by.pod).await
                },
            ),
        )
        .route(
            "/capture/{address}",
            get(
                async |State(data): State<Data>, Segment(address): Segment<String>| match address
                    .parse()
                {
                    Ok(address) => data.capture(address).await,
                    Err(error) => bad(error),
                },
            ),
        )
        .route(
            "/trace",
            get(
                async |State(data): State<Data>, Query(asked): Query<Asking>| match asked.probe() {
                    Ok(probe) => data.trace(probe).await,
                    Err(why) => bad(why),
                },
            ),
        )
        .route(
            "/mappings",
            get(async |State(data): State<Data>| data.mappings().await)
                .post(
                    async |State(data): State<Data>, Json(entries): Json<Vec<Entry>>| {
                        data.import(entries).await
                    },
                )
                .layer(DefaultBodyLimit::max(BODY)),
        )
        .route(
            "/sessions",
            get(async |State(data): State<Data>| data.sessions().await),
        )
        .route("/destinations", get(asks(Request::Destinations)))
        .route(
            "/mappings/{address}/{host}",
            post(
                async |State(data): State<Data>,
                       Segment((address, host)): Segment<(String, String)>| {
                    match (address.parse(), host.parse()) {
                        (Ok(address), Ok(host)) => data.ask(Request::Set { address, host }).await,
                        _ => bad("an IPv4 address and an IPv6 host were expected"),
                    }
                },
            ),
        )
        .route(
            "/mappings/{address}",
            delete(
                async |State(data): State<Data>, Segment(address): Segment<String>| match address
                    .parse()
                {
                    Ok(address) => data.ask(Request::Remove { address }).await,
                    Err(error) => bad(error),
                },
            ),
        )
        .route(
            "/flush/{name}",
            post(
                async |State(data): State<Data>, Segment(name): Segment<String>| match name.parse()
                {
                    Ok(name) => data.flush(name).await,
                    Err(error) => bad(error),
                },
            ),
        )
        .with_state(data)
}
