//! Long answers, put together outside the data thread from pages that it gives between packets: no packet
//! waits for longer than one of them takes. What changes meanwhile may be in an answer or not.

use core::future::Future;
use core::net::Ipv4Addr;
use core::pin::Pin;
use core::time::Duration;
use std::io;

use axum::Json;
use axum::body::Body;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use dns46::Mapping;
use egress_gateway::Probe;
use futures_util::stream::unfold;
use serde::Serialize;
use snatpool::{Protocol, Session};

use super::server::{Data, busy};
use super::{
    Answer, Entry, Imported, MappingRow, Request, SessionRow, Snapshot, Status, metrics, occupancy,
};

/// Slots of sessions that one page looks at.
pub(super) const SLOTS: u32 = 1024;
/// Addresses of the DNS46 subnet that one page looks at, and entries that are set at once.
pub(super) const ADDRESSES: u32 = 4096;

/// Free addresses that are passed over on the way to the next page.
pub(super) const FREE: u32 = 1 << 20;

/// Places of cached answers that one page looks at.
pub(super) const ANSWERS: u32 = 4096;

/// A part of a long answer.
#[derive(Debug)]
pub(crate) struct Page<T, N> {
    /// When it was taken.
    pub(crate) at: Duration,
    pub(crate) rows: Vec<T>,
    /// Where the next one begins.
    pub(crate) next: Option<N>,
}

impl Data {
    async fn session_page(&self, from: u32) -> Option<Page<Session, u32>> {
        match self.answer(Request::Sessions { from }).await {
            Some(Answer::Sessions(page)) => Some(page),
            _ => None,
        }
    }

    async fn mapping_page(&self, from: Ipv4Addr) -> Option<Page<Mapping, Ipv4Addr>> {
        match self.answer(Request::Mappings { from }).await {
            Some(Answer::Mappings(page)) => Some(page),
            _ => None,
        }
    }

    pub(super) async fn sessions(self) -> Response {
        let page = |data: Self, from| -> Paged<_, _> {
            Box::pin(async move { data.session_page(from).await })
        };
        list(self, 0, page, session).await
    }

    pub(super) async fn mappings(self) -> Response {
        let page = |data: Self, from| -> Paged<_, _> {
            Box::pin(async move { data.mapping_page(from).await })
        };
        list(self, Ipv4Addr::UNSPECIFIED, page, mapping).await
    }

    async fn each_mapping(&self, mut seen: impl FnMut(&Mapping)) -> Option<()> {
        let mut from = Some(Ipv4Addr::UNSPECIFIED);
        while let Some(first) = from {
            let page = self.mapping_page(first).await?;
            page.rows.iter().for_each(&mut seen);
            from = page.next;
        }
        Some(())
    }

    /// The counters, with those of mappings.
    async fn snapshot(&self) -> Option<Box<Snapshot>> {
        let Some(Answer::Stats(mut snapshot)) = self.answer(Request::Stats).await else {
            return None;
        };
        self.each_mapping(|mapping| snapshot.count(mapping)).await?;
        Some(snapshot)
    }

    pub(super) async fn stats(self) -> Response {
        self.snapshot().await.map_or_else(busy, json)
    }

    pub(super) async fn metrics(self) -> Response {
        const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
        let Some(snapshot) = self.snapshot().await else {
            return busy();
        };
        match metrics::render(*snapshot) {
            Ok(text) => ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
            Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        }
    }

    async fn pictured(&self) -> Option<Box<Status>> {
        let Some(Answer::Status(mut status)) = self.answer(Request::Status).await else {
            return None;
        };
        self.each_mapping(|mapping| {
            status.snapshot.count(mapping);
            if let Some(occupancy) = &mut status.occupancy {
                occupancy::count(occupancy, mapping);
            }
        })
        .await?;
        Some(status)
    }

    pub(super) async fn status(self) -> Response {
        self.pictured().await.map_or_else(busy, json)
    }

    /// What would become of a packet, among the sessions that it may belong to.
    pub(super) async fn trace(self, probe: Probe) -> Response {
        let (mut open, mut from) = (Vec::new(), Some(0));
        while let Some(first) = from {
            let Some(page) = self.session_page(first).await else {
                return busy();
            };
            let about = |session: &Session| probe.is_about(session);
            open.extend(page.rows.into_iter().filter(about));
            from = page.next;
        }
        self.ask(Request::Trace(probe, open)).await
    }

    /// Forgets cached answers.
    pub(super) async fn flush(self, name: dnscache::Name) -> Response {
        let (mut count, mut next) = (0, Some(0));
        while let Some(from) = next {
            let name = name.clone();
            match self.answer(Request::Flush { name, from }).await {
                Some(Answer::Flushed(some, further)) => {
                    count += some;
                    next = further;
                }
                _ => return busy(),
            }
        }
        format!("{count} answers at or below {name} were forgotten\n").into_response()
    }

    /// Sets static entries.
    pub(super) async fn import(self, entries: Vec<Entry>) -> Response {
        let mut all = Imported {
            set: 0,
            refused: Vec::new(),
        };
        for some in entries.chunks(ADDRESSES as usize) {
            match self.answer(Request::Import(some.to_vec())).await {
                Some(Answer::Imported(imported)) => {
                    all.set += imported.set;
                    all.refused.extend(imported.refused);
                }
                _ => return busy(),
            }
        }
        Json(all).into_response()
    }
}

fn json(value: impl Serialize) -> Response {
    Json(value).into_response()
}

type Paged<T, N> = Pin<Box<dyn Future<Output = Option<Page<T, N>>> + Send>>;

/// The JSON list of what is on all pages, sent as they come. If the data thread ends meanwhile, the
/// connection does, before the list is closed.
async fn list<T: Send + 'static, N: Send + 'static, R: Serialize + 'static>(
    data: Data,
    first: N,
    page: fn(Data, N) -> Paged<T, N>,
    row: fn(Duration, T) -> R,
) -> Response {
    let Some(given) = page(data.clone(), first).await else {
        return busy();
    };
    // The first page is there; of the others it is known where they begin.
    let pieces = unfold((Some(Ok(given)), "["), move |(left, mut before)| {
        let data = data.clone();
        async move {
            let given = match left? {
                Ok(given) => Some(given),
                Err(from) => page(data, from).await,
            };
            let Some(Page { at, rows, next }) = given else {
                let ended = io::Error::other("the gateway ended");
                return Some((Err(ended), (None, before)));
            };
            let mut text = Vec::new();
            for one in rows {
                text.extend_from_slice(before.as_bytes());
                before = ",";
                if let Err(error) = serde_json::to_writer(&mut text, &row(at, one)) {
                    return Some((Err(error.into()), (None, before)));
                }
            }
            if next.is_none() {
                text.extend_from_slice(if before == "[" { b"[]" } else { b"]" });
            }
            Some((Ok(text), (next.map(Err), before)))
        }
    });
    let kind = [(header::CONTENT_TYPE, "application/json")];
    (kind, Body::from_stream(pieces)).into_response()
}

fn mapping(_: Duration, mapping: Mapping) -> MappingRow {
    MappingRow {
        address: mapping.address,
        host: mapping.host,
        state: state(mapping.state),
        sessions: mapping.sessions,
    }
}

pub(super) const fn state(state: dns46::State) -> &'static str {
    match state {
        dns46::State::Tentative => "tentative",
        dns46::State::Live => "live",
        dns46::State::Static => "static",
        dns46::State::Quarantine => "quarantine",
    }
}

fn session(now: Duration, session: Session) -> SessionRow {
    SessionRow {
        protocol: protocol(session.inside.protocol),
        client: session.inside.source.to_string(),
        to: session.inside.destination.to_string(),
        leaves_as: session.outside.source.to_string(),
        peer: session.outside.destination.to_string(),
        state: format!("{:?}", session.state).to_lowercase(),
        expires_in_seconds: session.expires_at.saturating_sub(now).as_secs(),
    }
}

pub(super) const fn protocol(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
        Protocol::Icmp => "icmp",
    }
}

#[cfg(test)]
mod tests;
