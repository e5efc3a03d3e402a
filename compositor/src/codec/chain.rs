//! An element chain as a function.
//!
//! A source pad of our own is linked to a small bin that ends in an appsink which never waits. Pushing a buffer runs the
//! elements in the caller's thread; when the push returns, every answer lies in the appsink. No thread, no time-out.

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app::AppSink;
use gstreamer_video as gst_video;

use super::CodecError;

/// `description ! appsink`, fed by hand.
#[derive(Debug)]
pub(crate) struct Chain {
    description: String,
    input: gst::Pad,
    bin: gst::Bin,
    output: AppSink,
}

impl Chain {
    /// Builds and starts the elements of `description`, which take `caps`.
    pub(crate) fn new(description: &str, caps: &gst::Caps) -> Result<Self, CodecError> {
        let with_sink = format!(
            "{description} ! appsink name=output sync=false async=false enable-last-sample=false wait-on-eos=false"
        );
        let bin = gst::parse::bin_from_description(&with_sink, true).map_err(|source| {
            CodecError::Build {
                description: description.to_owned(),
                source,
            }
        })?;
        let failed = |step| CodecError::Start {
            description: description.to_owned(),
            step,
        };
        let output = bin
            .by_name("output")
            .and_then(|element| element.downcast::<AppSink>().ok())
            .ok_or_else(|| failed("find the appsink"))?;
        let target = bin
            .static_pad("sink")
            .ok_or_else(|| failed("find the input"))?;
        take_padded_rows(&output);
        let input = gst::Pad::builder(gst::PadDirection::Src).build();
        let chain = Self {
            description: description.to_owned(),
            input,
            bin,
            output,
        };
        chain.start(&target, caps)?;
        Ok(chain)
    }

    fn start(&self, target: &gst::Pad, caps: &gst::Caps) -> Result<(), CodecError> {
        let failed = |step| CodecError::Start {
            description: self.description.clone(),
            step,
        };
        self.input
            .set_active(true)
            .map_err(|_| failed("activate the input"))?;
        self.input
            .link(target)
            .map_err(|_| failed("link the input"))?;
        self.bin
            .set_state(gst::State::Playing)
            .map_err(|_| failed("set it playing"))?;
        let segment = gst::FormattedSegment::<gst::ClockTime>::new();
        let greeting = [
            gst::event::StreamStart::new("proscenium"),
            gst::event::Caps::new(caps),
            gst::event::Segment::new(&segment),
        ];
        // Caps may be refused here only by an element that would refuse the first buffer, too.
        for event in greeting {
            self.input.push_event(event);
        }
        Ok(())
    }

    /// Runs the elements on `buffer`; the answers wait in [`Self::answer`].
    pub(crate) fn push(&self, buffer: gst::Buffer) -> Result<(), gst::FlowError> {
        self.input.push(buffer).map(|_| ())
    }

    /// Sends an event along with the buffers.
    pub(crate) fn push_event(&self, event: gst::Event) {
        self.input.push_event(event);
    }

    /// The next answer, if there is one.
    pub(crate) fn answer(&self) -> Option<gst::Sample> {
        self.output.try_pull_sample(gst::ClockTime::ZERO)
    }
}

/// Says that pictures may have padded rows, as decoders need them for themselves; without that each one is copied.
fn take_padded_rows(output: &AppSink) {
    let pad = output.static_pad("sink").expect("sinks have one");
    pad.add_probe(gst::PadProbeType::QUERY_DOWNSTREAM, |_, info| {
        let Some(gst::QueryViewMut::Allocation(query)) =
            info.query_mut().map(gst::QueryRef::view_mut)
        else {
            return gst::PadProbeReturn::Ok;
        };
        query.add_allocation_meta::<gst_video::VideoMeta>(None);
        gst::PadProbeReturn::Handled
    });
}

impl Drop for Chain {
    fn drop(&mut self) {
        // Nothing can be done about elements that do not stop.
        let _ = self.input.set_active(false);
        let _ = self.bin.set_state(gst::State::Null);
    }
}
