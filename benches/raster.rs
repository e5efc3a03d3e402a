//! The raster alone: its CPU per frame beside GStreamer's `compositor` on the same pictures, and how true its pictures are.

mod raster {
    pub(crate) mod grid;
    pub(crate) mod peer;
    pub(crate) mod quality;
}

use benches::{BenchError, options};

fn main() -> Result<(), BenchError> {
    gstreamer::init()?;
    let frames = options::value("frames", 300)?;
    let rounds = options::value("rounds", 3)?;
    raster::grid::run(frames, rounds)?;
    raster::quality::run()
}
