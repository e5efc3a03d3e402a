//! Decoders and encoders as functions: bytes in, answers out, in the caller's thread.

pub(crate) mod aac;
pub(crate) mod chain;
pub(crate) mod h264;
pub(crate) mod opus;
pub(crate) mod picture;
pub(crate) mod video;

/// Why media cannot be decoded or encoded at all; a damaged access unit is no such reason.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// The elements are not installed, or refuse their settings.
    #[error("cannot build the element chain `{description}`")]
    Build {
        /// In the language of gst-launch.
        description: String,
        /// What GStreamer says.
        source: gstreamer::glib::Error,
    },
    /// The elements do not start, or cannot be linked.
    #[error("element chain `{description}` does not start: {step}")]
    Start {
        /// In the language of gst-launch.
        description: String,
        /// What was tried.
        step: &'static str,
    },
    /// An encoder took a frame and gave no answer.
    #[error("{encoder} gave {answers} answers to one frame, exactly one is expected")]
    Answers {
        /// Which element.
        encoder: &'static str,
        /// How many came.
        answers: usize,
    },
    /// libopus has no memory left.
    #[error("cannot make an Opus decoder")]
    Opus(#[from] ::opus::Error),
    /// An element refused a buffer.
    #[error("{element} refused a buffer: {flow:?}")]
    Refused {
        /// Which element.
        element: &'static str,
        /// GStreamer's word for it.
        flow: gstreamer::FlowError,
    },
}
