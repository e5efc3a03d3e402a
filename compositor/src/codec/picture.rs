//! A decoded picture in I420, and a view of its planes.

use std::fmt;

use compositor_core::bitstream::colour::Colour;
use gstreamer_video as gst_video;
use gstreamer_video::prelude::*;

/// One plane of 8-bit samples; rows may be longer than the picture is wide.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plane<'a> {
    pub(crate) data: &'a [u8],
    pub(crate) stride: usize,
}

/// A picture in I420, wherever its bytes are.
pub struct Picture {
    width: u32,
    height: u32,
    colour: Colour,
    data: Data,
}

enum Data {
    /// As it came from a decoder.
    Decoded(Box<gst_video::VideoFrame<gst_video::video_frame::Readable>>),
    /// Three planes back to back, without padding.
    Own(Vec<u8>),
}

impl Picture {
    /// Wraps a decoder's answer; `None` if it is not an I420 picture.
    pub(crate) fn decoded(sample: &gstreamer::Sample, colour: Colour) -> Option<Self> {
        let info = gst_video::VideoInfo::from_caps(sample.caps()?).ok()?;
        if info.format() != gst_video::VideoFormat::I420 {
            return None;
        }
        let frame =
            gst_video::VideoFrame::from_buffer_readable(sample.buffer_owned()?, &info).ok()?;
        Some(Self {
            width: info.width(),
            height: info.height(),
            colour,
            data: Data::Decoded(Box::new(frame)),
        })
    }

    /// Wraps planes that lie back to back; both sides must be even.
    pub fn own(width: u32, height: u32, data: Vec<u8>) -> Self {
        assert_eq!(data.len(), i420_len(width, height), "length of the planes");
        Self {
            width,
            height,
            colour: Colour::default(),
            data: Data::Own(data),
        }
    }

    /// The planes that [`Self::own`] wrapped; `None` if they are a decoder's.
    pub(crate) fn own_mut(&mut self) -> Option<&mut [u8]> {
        match &mut self.data {
            Data::Own(data) => Some(data),
            Data::Decoded(_) => None,
        }
    }

    /// The same samples, meant otherwise.
    #[cfg(test)]
    pub(crate) fn with_colour(self, colour: Colour) -> Self {
        Self { colour, ..self }
    }

    pub(crate) fn width(&self) -> u32 {
        self.width
    }

    pub(crate) fn height(&self) -> u32 {
        self.height
    }

    /// Width times height.
    pub(crate) fn pixels(&self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }

    pub(crate) fn colour(&self) -> Colour {
        self.colour
    }

    /// Y, U, V.
    pub(crate) fn planes(&self) -> [Plane<'_>; 3] {
        match &self.data {
            Data::Decoded(frame) => [0, 1, 2].map(|index| Plane {
                data: frame
                    .plane_data(index)
                    .expect("I420 frames have three planes"),
                stride: frame.plane_stride()[index as usize] as usize,
            }),
            Data::Own(data) => {
                let (width, height) = (self.width as usize, self.height as usize);
                let (luma, chroma) = data.split_at(width * height);
                let (u, v) = chroma.split_at(chroma.len() / 2);
                [(luma, 1), (u, 2), (v, 2)].map(|(data, shrink)| Plane {
                    data,
                    stride: width / shrink,
                })
            }
        }
    }
}

impl fmt::Debug for Picture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Picture({}x{})", self.width, self.height)
    }
}

/// Bytes of an I420 picture with even sides.
pub(crate) fn i420_len(width: u32, height: u32) -> usize {
    width as usize * height as usize * 3 / 2
}
