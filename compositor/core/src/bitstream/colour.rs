//! What the samples of a picture mean, and what its bit stream says of that.

/// What the samples of a picture mean. The default is what browsers send, mostly without saying so.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Colour {
    /// How R, G and B make luma and chroma.
    pub matrix: Matrix,
    /// How much of the eight bits is used.
    pub range: Range,
}

/// How R, G and B make luma and chroma.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Matrix {
    /// ITU-R BT.601.
    #[default]
    Bt601,
    /// ITU-R BT.709.
    Bt709,
}

/// How much of the eight bits is used.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Range {
    /// Luma from 16 to 235, chroma from 16 to 240.
    #[default]
    Limited,
    /// From 0 to 255.
    Full,
}

/// `matrix_coefficients` (ITU-T H.264 table E-5); what is neither is taken as if nothing were said.
pub(super) fn h264_matrix(code: u32) -> Matrix {
    if code == 1 {
        Matrix::Bt709
    } else {
        Matrix::Bt601
    }
}

/// `color_space` of VP9 (section 7.2.2 of its specification).
pub(super) fn vp9_matrix(code: u32) -> Matrix {
    if code == 2 {
        Matrix::Bt709
    } else {
        Matrix::Bt601
    }
}
