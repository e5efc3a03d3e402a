//! What a worker costs on each step of the degradation ladder: CPU per composed second, as `compose` measures it.

use std::path::Path;
use std::time::Duration;

use benches::clip::{FPS, simulcast_and_single};
use benches::cpu::{median, of_children};
use benches::stage::Stage;
use benches::{BenchError, options, table, worker};
use compositor::source::SourceCodec;
use compositor_core::quality::STEP_MAX;

/// The short run.
const SHORT: Duration = Duration::from_secs(1);

fn main() -> Result<(), BenchError> {
    let seconds = options::value("seconds", 5)?;
    let rounds: usize = options::value("rounds", 3)?;
    let proscenium = options::proscenium()?;
    let (simulcast, single) = simulcast_and_single(SourceCodec::H264)?;
    let mut rows = Vec::new();
    for (name, clips, count) in [
        ("1 x 720p", &single, 1),
        ("4 x 720p", &single, 4),
        ("12 x 720p", &single, 12),
        ("12 x simulcast", &simulcast, 12),
    ] {
        let mut figures: Vec<Vec<f64>> = vec![Vec::new(); usize::from(STEP_MAX) + 1];
        for _ in 0..rounds {
            for (step, figure) in (0..).zip(&mut figures) {
                let clips = clips.iter().cycle().take(count).collect();
                figure.push(cost(&proscenium, &Stage { clips, step }, seconds)?);
            }
        }
        let costs: Vec<f64> = figures.into_iter().map(median).collect();
        let full = costs.first().copied().unwrap_or_default();
        let cells = costs
            .iter()
            .map(|cost| format!("{cost:.0} ({:.0} %)", 100.0 * cost / full));
        rows.push(std::iter::once(name.to_owned()).chain(cells).collect());
    }
    let steps = (0..=STEP_MAX).map(|step| format!("step {step}, ms/s"));
    let head: Vec<String> = std::iter::once("participants".to_owned())
        .chain(steps)
        .collect();
    let head: Vec<&str> = head.iter().map(String::as_str).collect();
    table::print(&head, &rows);
    Ok(())
}

/// Milliseconds of CPU per composed second.
fn cost(proscenium: &Path, stage: &Stage<'_>, seconds: u32) -> Result<f64, BenchError> {
    let run = |length: Duration| {
        let (composed, cpu) = of_children(|| {
            worker::compose(
                proscenium,
                &stage.job(),
                length,
                &stage.journal(length),
                worker::Feed::AtOnce,
            )
        })?;
        let expected = length.as_secs() * u64::from(FPS);
        if composed.pictures != expected {
            let pictures = composed.pictures;
            return Err(BenchError::from(format!(
                "{pictures} pictures of {expected} came"
            )));
        }
        Ok(cpu.as_secs_f64())
    };
    let (short, long) = (
        run(SHORT)?,
        run(SHORT + Duration::from_secs(u64::from(seconds)))?,
    );
    Ok((long - short) * 1000.0 / f64::from(seconds))
}
