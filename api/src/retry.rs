//! What must be done although the store, or whatever it needs, is away now.

use std::error::Error;
use std::time::Duration;

use compositor_core::error_chain::error_chain;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Attempts it until it succeeds; `failure` is logged each time it does not. Cancel-safe as far as the attempts are.
pub(crate) async fn until_done<T, E, F>(failure: &str, mut attempt: impl FnMut() -> F) -> T
where
    E: Error,
    F: Future<Output = Result<T, E>>,
{
    let mut pauses = pauses();
    loop {
        match attempt().await {
            Ok(done) => return done,
            Err(error) => tracing::error!(error = %error_chain(&error), "{failure}"),
        }
        tokio::time::sleep(pauses.next().unwrap_or(LONGEST_PAUSE)).await;
    }
}

/// Between attempts.
fn pauses() -> impl Iterator<Item = Duration> {
    std::iter::successors(Some(FIRST_PAUSE), |pause| {
        Some((*pause * 2).min(LONGEST_PAUSE))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_limit() {
        let pauses: Vec<u128> = pauses().take(8).map(|pause| pause.as_millis()).collect();
        assert_eq!(pauses, [100, 200, 400, 800, 1600, 3200, 5000, 5000]);
    }

    #[tokio::test]
    async fn what_fails_is_attempted_again() {
        let mut attempts = 0;
        let done = until_done("not yet", || {
            attempts += 1;
            let attempt = attempts;
            async move {
                match attempt {
                    2 => Ok(attempt),
                    _ => Err(std::io::Error::other("away")),
                }
            }
        });
        assert_eq!(done.await, 2);
    }
}
