//! `PretradeService`: one pre-trade state a stream.

pub(crate) mod session;
pub mod stdio;
mod wire;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio_stream::Stream;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::{Request, Response, Status, Streaming};

use self::session::Session;
use crate::proto::pretrade_service_server::PretradeService;
use crate::proto::{CheckRequest, CheckResponse};
use crate::watch::Boards;

/// Serves `PretradeService`.
pub struct Pretrade {
    shutdown: CancellationToken,
    boards: Boards,
}

impl Pretrade {
    /// Ends its streams with `UNAVAILABLE` once `shutdown` is cancelled: a gate never ends its stream itself. Sessions with
    /// a name show their portfolio on one of the `boards`.
    pub fn new(shutdown: CancellationToken, boards: Boards) -> Self {
        Self { shutdown, boards }
    }
}

#[tonic::async_trait]
impl PretradeService for Pretrade {
    type CheckStream = Decisions;

    async fn check(&self, request: Request<Streaming<CheckRequest>>) -> Result<Response<Decisions>, Status> {
        Ok(Response::new(Decisions {
            requests: request.into_inner(),
            session: Session::new(self.boards.clone()),
            shutdown: Box::pin(self.shutdown.clone().cancelled_owned()),
            is_over: false,
        }))
    }
}

/// The answers of one stream. A batch is decided where it is read, in the task of its connection: nothing is spawned and
/// nothing is queued between a request and its answer.
pub struct Decisions {
    requests: Streaming<CheckRequest>,
    session: Session,
    shutdown: Pin<Box<WaitForCancellationFutureOwned>>,
    is_over: bool,
}

impl Decisions {
    fn end(&mut self, status: Status) -> Poll<Option<Result<CheckResponse, Status>>> {
        self.is_over = true;
        tracing::warn!(code = ?status.code(), reason = status.message(), "pre-trade stream ended");
        Poll::Ready(Some(Err(status)))
    }
}

impl Stream for Decisions {
    type Item = Result<CheckResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if this.is_over {
            return Poll::Ready(None);
        }
        if this.shutdown.as_mut().poll(context).is_ready() {
            return this.end(Status::unavailable("the Risk Service is shutting down"));
        }
        loop {
            let request = match ready!(Pin::new(&mut this.requests).poll_next(context)) {
                Some(Ok(request)) => request,
                Some(Err(status)) => return this.end(status),
                None => return Poll::Ready(None),
            };
            // No input is known to panic. If one does, it ends this stream and its state, and nothing else.
            match catch_unwind(AssertUnwindSafe(|| this.session.answer(request))) {
                Ok(Ok(Some(response))) => return Poll::Ready(Some(Ok(response))),
                Ok(Ok(None)) => {}
                Ok(Err(status)) => return this.end(status),
                Err(_) => {
                    return this.end(Status::internal("the check failed; the log of the Risk Service says where"));
                }
            }
        }
    }
}
