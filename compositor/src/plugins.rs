//! Which GStreamer elements composing and publishing need.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use gstreamer::prelude::*;

/// Each element with the Debian package that brings it.
const NEEDED: &[(&str, &str)] = &[
    ("appsink", "gstreamer1.0-plugins-base"),
    ("audioconvert", "gstreamer1.0-plugins-base"),
    ("videoconvert", "gstreamer1.0-plugins-base"),
    ("opusenc", "gstreamer1.0-plugins-base"),
    ("videoscale", "gstreamer1.0-plugins-base"),
    ("textoverlay", "gstreamer1.0-x"),
    ("timeoverlay", "gstreamer1.0-x"),
    ("vp8enc", "gstreamer1.0-plugins-good"),
    ("vp8dec", "gstreamer1.0-plugins-good"),
    ("vp9dec", "gstreamer1.0-plugins-good"),
    ("x264enc", "gstreamer1.0-plugins-ugly"),
    ("avdec_h264", "gstreamer1.0-libav"),
    ("avenc_aac", "gstreamer1.0-libav"),
];

/// The elements that composing and publishing need and this machine lacks, each as `element (package)`; all of them when GStreamer
/// itself does not start.
pub fn missing() -> Vec<String> {
    let starts = gstreamer::init().is_ok();
    NEEDED
        .iter()
        .filter(|(element, _)| !starts || gstreamer::ElementFactory::find(element).is_none())
        .map(|(element, package)| format!("{element} ({package})"))
        .collect()
}

/// Where those that are there lie.
pub(crate) fn folders() -> BTreeSet<PathBuf> {
    let elements = NEEDED.iter();
    elements
        .filter_map(|(element, _)| {
            let file = gstreamer::ElementFactory::find(element)?
                .plugin()?
                .filename()?;
            file.parent().map(Path::to_owned)
        })
        .collect()
}
