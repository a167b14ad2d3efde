//! `StreamCalculation`: word of the progress, then the answer.

use std::sync::Arc;
use std::time::Duration;

use risk_core::RiskError;
use risk_core::progress::Progress;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::model::not_set;
use super::{Answers, Waiting, figures, refused};
use crate::compute::{Pool, deadline};
use crate::proto::stream_calculation_response::Response as Part;
use crate::proto::{CalculationProgress, StreamCalculationRequest, StreamCalculationResponse};

const DEFAULT_INTERVAL_MS: u32 = 100;
const MIN_INTERVAL_MS: u32 = 10;
/// Reports that wait for a slow reader; more are left out, the answer is not.
const BUFFER: usize = 4;

/// How often the client wants to hear, or what is wrong with that.
pub(crate) fn interval(name: &'static str, min_interval_ms: u32) -> risk_core::Result<Duration> {
    match min_interval_ms {
        0 => Ok(Duration::from_millis(DEFAULT_INTERVAL_MS.into())),
        ms if ms >= MIN_INTERVAL_MS => Ok(Duration::from_millis(ms.into())),
        ms => Err(RiskError::invalid(name, "min_interval_ms", format!("must be 0 or at least {MIN_INTERVAL_MS}"), ms)),
    }
}

pub(super) fn stream_calculation(
    pool: Arc<Pool>,
    request: Request<StreamCalculationRequest>,
) -> Result<Response<Answers<StreamCalculationResponse>>, Status> {
    const NAME: &str = "stream_calculation";
    let deadline = deadline(request.extensions());
    let StreamCalculationRequest { calculation, min_interval_ms } = request.into_inner();
    let calculation = calculation.ok_or_else(|| refused(not_set(NAME, "calculation")))?;
    let interval = interval(NAME, min_interval_ms).map_err(refused)?;
    let room = pool.admit()?;
    let (send, receive) = mpsc::channel(BUFFER);
    tokio::spawn(async move {
        // Both are dropped with this task: when the answer is out, or the reader is gone.
        let (_room, (_waiting, progress)) = (room, Waiting::new());
        let told = Arc::clone(&progress);
        let job = pool.run_part(deadline, move || figures::calculate(&calculation, &progress));
        let answer = tokio::select! {
            answer = job => answer,
            () = tell(&send, &told, interval) => return,
        };
        let answer = answer.and_then(|answer| answer.map_err(refused));
        let part = answer.map(|answer| StreamCalculationResponse { response: Some(Part::Calculation(answer)) });
        // The reader may be gone.
        let _ = send.send(part).await;
    });
    Ok(Response::new(Box::pin(ReceiverStream::new(receive))))
}

/// Tells of the progress until the reader is gone.
async fn tell(send: &mpsc::Sender<Result<StreamCalculationResponse, Status>>, progress: &Progress, interval: Duration) {
    let mut ticks = tokio::time::interval(interval);
    ticks.tick().await;
    loop {
        tokio::select! {
            () = send.closed() => return,
            _ = ticks.tick() => {}
        }
        let report = CalculationProgress { done: progress.done(), total: progress.total() };
        // A reader that is behind hears the next one.
        let _ = send.try_send(Ok(StreamCalculationResponse { response: Some(Part::Progress(report)) }));
    }
}
