//! GStreamer's `compositor` in this process, fed with the same pictures.

use benches::BenchError;
use compositor_core::layout::Rect;
use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app::{AppSink, AppSrc};

use super::grid::CANVAS;

const FRAME_NANOS: u64 = 33_333_333;

/// `appsrc`s, `compositor`, `appsink`.
pub(crate) struct Peer {
    pipeline: gst::Pipeline,
    sources: Vec<AppSrc>,
    sink: AppSink,
    /// Two pictures of each source.
    buffers: [Vec<gst::Buffer>; 2],
    frame: u64,
}

impl Peer {
    pub(crate) fn start(
        (width, height): (u32, u32),
        slots: &[Rect],
        sets: &[Vec<Vec<u8>>; 2],
    ) -> Result<Self, BenchError> {
        let mut text = format!(
            "compositor name=grid background=black ! \
             video/x-raw,format=I420,width={},height={},framerate=30/1 ! appsink name=out sync=false max-buffers=1",
            CANVAS.width, CANVAS.height
        );
        for (index, slot) in slots.iter().enumerate() {
            text += &format!(
                " appsrc name=in{index} format=time max-buffers=2 \
                 caps=video/x-raw,format=I420,width={width},height={height},framerate=30/1,colorimetry=bt601 ! \
                 grid.sink_{index}"
            );
            let Rect {
                x,
                y,
                width,
                height,
            } = slot;
            text = text.replacen(
                "background=black",
                &format!(
                    "background=black sink_{index}::xpos={x} sink_{index}::ypos={y} \
                     sink_{index}::width={width} sink_{index}::height={height}"
                ),
                1,
            );
        }
        let pipeline = gst::parse::launch(&text)?
            .downcast::<gst::Pipeline>()
            .map_err(|_| "not a pipeline")?;
        let element = |name: &str| pipeline.by_name(name).ok_or("no such element");
        let sources = (0..slots.len())
            .map(|index| {
                Ok(element(&format!("in{index}"))?
                    .downcast()
                    .map_err(|_| "no appsrc")?)
            })
            .collect::<Result<_, BenchError>>()?;
        let sink = element("out")?.downcast().map_err(|_| "no appsink")?;
        pipeline.set_state(gst::State::Playing)?;
        let buffers = sets
            .clone()
            .map(|set| set.into_iter().map(gst::Buffer::from_slice).collect());
        Ok(Self {
            pipeline,
            sources,
            sink,
            buffers,
            frame: 0,
        })
    }

    pub(crate) fn compose(&mut self, frames: usize) -> Result<(), BenchError> {
        for _ in 0..frames {
            let buffers = &self.buffers[(self.frame % 2) as usize];
            for (source, buffer) in self.sources.iter().zip(buffers) {
                let mut buffer = buffer.copy();
                let stamp = |frame| gst::ClockTime::from_nseconds(frame * FRAME_NANOS);
                let own = buffer.make_mut();
                own.set_pts(stamp(self.frame));
                own.set_duration(stamp(1));
                source.push_buffer(buffer)?;
            }
            // The first frame comes once the next one is known.
            if self.frame > 0 {
                self.sink.pull_sample()?;
            }
            self.frame += 1;
        }
        Ok(())
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}
