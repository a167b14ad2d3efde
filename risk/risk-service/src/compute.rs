//! The pool that calculations run on: bounded, and apart from the async threads.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::Instant;
use tonic::{Extensions, Request, Status};

/// An answer must leave before the caller's deadline to be of any use.
const ANSWER_MARGIN: Duration = Duration::from_millis(2);

/// A tenth of the weight of a thread that answers checks.
const NICENESS: i32 = 10;

/// Runs calculations and admits only as many as may wait.
pub struct Pool {
    threads: rayon::ThreadPool,
    admission: Arc<Semaphore>,
    max_queue: usize,
}

impl Pool {
    /// A pool of `threads` threads on which at most `max_queue` calculations wait or run.
    pub fn new(threads: usize, max_queue: usize) -> Result<Self, rayon::ThreadPoolBuildError> {
        let builder = rayon::ThreadPoolBuilder::new().num_threads(threads);
        let builder = builder.thread_name(|i| format!("compute-{i}")).start_handler(|_| give_way());
        let threads = builder.build()?;
        Ok(Self { threads, admission: Arc::new(Semaphore::new(max_queue)), max_queue })
    }

    /// Runs `job` on the pool and gives its value, or says why there is none: refused because too many wait, too late, or
    /// a defect. A job whose caller has given up is not started.
    pub async fn run<T: Send + 'static>(
        &self,
        deadline: Option<Instant>,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Status> {
        let room = self.admit()?;
        until(deadline, self.spawn(Some(room), job)).await
    }

    /// Room for one calculation, kept until it is dropped; refused when too many wait.
    pub fn admit(&self) -> Result<Room, Status> {
        Arc::clone(&self.admission).try_acquire_owned().map_err(|_| {
            let text = format!("{} calculations wait or run, which is the most allowed; try again", self.max_queue);
            Status::resource_exhausted(text)
        })
    }

    /// As [`Pool::run`], for a part of something that was admitted already.
    pub async fn run_part<T: Send + 'static>(
        &self,
        deadline: Option<Instant>,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Status> {
        until(deadline, self.spawn(None, job)).await
    }

    fn spawn<T: Send + 'static>(&self, room: Option<Room>, job: impl FnOnce() -> T + Send + 'static) -> Answer<T> {
        let (answer, answered) = oneshot::channel();
        self.threads.spawn(move || {
            if answer.is_closed() {
                return;
            }
            // The hook has logged a panic; the caller is told that there was one and no more.
            let value = catch_unwind(AssertUnwindSafe(job));
            // Room first, so that whoever got an answer may ask again at once.
            drop(room);
            // Nobody may be listening any more.
            let _ = answer.send(value);
        });
        answered
    }
}

/// The right to calculate.
pub type Room = OwnedSemaphorePermit;

type Answer<T> = oneshot::Receiver<std::thread::Result<T>>;

async fn until<T>(deadline: Option<Instant>, answered: Answer<T>) -> Result<T, Status> {
    let value = match deadline {
        None => answered.await,
        Some(deadline) => match tokio::time::timeout_at(deadline, answered).await {
            Ok(value) => value,
            Err(_) => return Err(Status::deadline_exceeded("the calculation did not end before the deadline")),
        },
    };
    match value {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(_)) | Err(_) => Err(Status::internal("the calculation failed; the log of the Risk Service says where")),
    }
}

/// Makes way for the threads that answer checks: where cores are few, a check would wait for a calculation's time slice.
fn give_way() {
    // Linux keeps niceness by thread. It may always rise; where not, calculations are merely less polite.
    if let Err(error) = rustix::process::nice(NICENESS) {
        tracing::warn!(%error, "a thread that calculates keeps its priority");
    }
}

/// When a caller stops waiting, less the time that an answer needs.
#[derive(Clone, Copy)]
struct Deadline(Instant);

/// An interceptor that notes the deadline of a call when its headers arrive: the body of a large request comes much later.
pub fn note_deadline(mut call: Request<()>) -> Result<Request<()>, Status> {
    let sent = call.metadata().get("grpc-timeout").and_then(|value| value.to_str().ok()).and_then(timeout);
    if let Some(deadline) = sent.and_then(|sent| Instant::now().checked_add(sent.saturating_sub(ANSWER_MARGIN))) {
        call.extensions_mut().insert(Deadline(deadline));
    }
    Ok(call)
}

/// The deadline that [`note_deadline`] noted. Kept by us because at its own tonic answers `CANCELLED`.
pub fn deadline(extensions: &Extensions) -> Option<Instant> {
    extensions.get().map(|Deadline(deadline)| *deadline)
}

/// Parses `TimeoutValue TimeoutUnit` of the gRPC protocol: at most eight digits and one of `HMSmun`.
fn timeout(text: &str) -> Option<Duration> {
    let unit = text.chars().last()?;
    let digits = text.strip_suffix(unit)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let value: u64 = digits.parse().ok()?;
    match unit {
        'H' => Some(Duration::from_secs(value * 3600)),
        'M' => Some(Duration::from_secs(value * 60)),
        'S' => Some(Duration::from_secs(value)),
        'm' => Some(Duration::from_millis(value)),
        'u' => Some(Duration::from_micros(value)),
        'n' => Some(Duration::from_nanos(value)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use tonic::Code;

    use super::*;

    #[test]
    fn timeouts_are_read_as_grpc_writes_them() {
        let check = |text, expected| assert_eq!(timeout(text), expected, "{text}");
        check("1H", Some(Duration::from_secs(3600)));
        check("2M", Some(Duration::from_secs(120)));
        check("3S", Some(Duration::from_secs(3)));
        check("4m", Some(Duration::from_millis(4)));
        check("5u", Some(Duration::from_micros(5)));
        check("99999999n", Some(Duration::from_nanos(99_999_999)));
        for wrong in ["", "S", "1", "1s", "-1S", "+1S", "100000000n", "1\u{e9}"] {
            check(wrong, None);
        }
    }

    #[tokio::test]
    async fn one_more_than_may_wait_is_refused_and_room_comes_back() {
        let pool = Pool::new(1, 2).unwrap();
        let (release, held) = mpsc::channel::<()>();
        let first = pool.run(None, move || held.recv().is_ok());
        let second = pool.run(None, || 2);
        let third = async {
            let refused = pool.run(None, || 3).await.unwrap_err();
            release.send(()).unwrap();
            refused
        };
        let (first, second, third) = tokio::join!(first, second, third);
        assert!(first.unwrap());
        assert_eq!(second.unwrap(), 2);
        assert_eq!(third.code(), Code::ResourceExhausted);
        assert_eq!(third.message(), "2 calculations wait or run, which is the most allowed; try again");
        assert_eq!(pool.run(None, || 4).await.unwrap(), 4);
    }

    #[tokio::test]
    async fn a_deadline_ends_the_wait_and_a_job_nobody_waits_for_is_not_started() {
        let pool = Pool::new(1, 4).unwrap();
        let (release, held) = mpsc::channel::<()>();
        let soon = Some(Instant::now() + Duration::from_millis(20));
        let running = pool.run(soon, move || held.recv().is_ok()).await.unwrap_err();
        assert_eq!(running.code(), Code::DeadlineExceeded);
        let (started, starts) = mpsc::channel();
        let waiting = pool.run(soon, move || started.send(())).await.unwrap_err();
        assert_eq!(waiting.code(), Code::DeadlineExceeded);
        release.send(()).unwrap();
        assert_eq!(pool.run(None, || 1).await.unwrap(), 1);
        assert!(starts.recv().is_err(), "the job was started");
    }

    #[tokio::test]
    async fn a_panic_is_an_internal_error_without_a_trace() {
        let pool = Pool::new(1, 1).unwrap();
        let error = pool.run(None, || -> i32 { panic!("secret") }).await.unwrap_err();
        assert_eq!(error.code(), Code::Internal);
        assert!(!error.message().contains("secret"));
        assert_eq!(pool.run(None, || 1).await.unwrap(), 1);
    }
}
