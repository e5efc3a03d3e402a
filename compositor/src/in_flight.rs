//! What decoders are at, where the server can read it after the worker's death, whatever it died of.
//!
//! The board is a file in memory that the worker has as its standard output. Each thread has a cell: the track's number plus
//! one (`u32` LE, zero while nothing is decoded) and the record's number (`u64` LE).

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::sync::OnceLock;

use compositor_core::id::TrackId;
use compositor_core::journal::JournalSeq;
use compositor_core::quarantine::InFlight;
use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};

/// What a library prints by mistake stays in front of the cells.
const CELLS_AT: u64 = 64 << 10;

const CELL_BYTES: usize = 12;

/// Threads beyond these are not written down.
const CELLS: usize = 64;

/// Of this process; `None` where nobody asked for it.
static BOARD: OnceLock<File> = OnceLock::new();

/// An empty board for a new worker. It cannot grow: a worker that was taken over gets no memory past its limit by it.
pub(crate) fn new_board() -> io::Result<File> {
    let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
    let board = File::from(memfd_create(c"in-flight", flags)?);
    board.set_len(CELLS_AT + (CELLS * CELL_BYTES) as u64)?;
    let fixed = SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_SEAL;
    fcntl(&board, FcntlArg::F_ADD_SEALS(fixed))?;
    Ok(board)
}

/// What a board says is in decoders; nothing where it cannot be read.
pub fn read(board: &File) -> Vec<InFlight> {
    let mut cells = [0; CELLS * CELL_BYTES];
    let Ok(len) = board.read_at(&mut cells, CELLS_AT) else {
        return Vec::new();
    };
    let (cells, _) = cells[..len].as_chunks::<CELL_BYTES>();
    cells.iter().filter_map(parse).collect()
}

fn parse(cell: &[u8; CELL_BYTES]) -> Option<InFlight> {
    let (track, unit) = cell.split_first_chunk::<4>()?;
    Some(InFlight {
        track: TrackId(u32::from_le_bytes(*track).checked_sub(1)?),
        unit: JournalSeq(u64::from_le_bytes(*unit.first_chunk()?)),
    })
}

/// From now on this process writes to the board that is its standard output.
pub(crate) fn use_standard_output() -> io::Result<()> {
    let board = io::stdout().as_fd().try_clone_to_owned()?;
    // The first one is as good.
    let _ = BOARD.set(board.into());
    Ok(())
}

/// Until it is dropped, the unit is in a decoder of this thread.
#[derive(Debug)]
pub(crate) struct Decoding(());

/// Says that a decoder is given a unit.
pub(crate) fn decoding(unit: InFlight) -> Decoding {
    let mut cell = [0; CELL_BYTES];
    cell[..4].copy_from_slice(&(unit.track.0.wrapping_add(1)).to_le_bytes());
    cell[4..].copy_from_slice(&unit.unit.0.to_le_bytes());
    write(&cell);
    Decoding(())
}

impl Drop for Decoding {
    fn drop(&mut self) {
        // Then it is what the worker dies of.
        if std::thread::panicking() {
            return;
        }
        write(&[0; CELL_BYTES]);
    }
}

/// Without a board, or with one that takes nothing, a death is not explained; composing goes on.
fn write(cell: &[u8; CELL_BYTES]) {
    let own = rayon::current_thread_index().map_or(0, |index| index + 1);
    if let Some(board) = BOARD.get().filter(|_| own < CELLS) {
        let _ = board.write_at(cell, CELLS_AT + (own * CELL_BYTES) as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_board_says_what_its_cells_say_and_nothing_else() {
        let board = new_board().expect("a file in memory");
        assert_eq!(read(&board), []);
        let mut cells = [0; 3 * CELL_BYTES];
        cells[CELL_BYTES] = 8;
        cells[CELL_BYTES + 4..CELL_BYTES + 6].copy_from_slice(&[1, 2]);
        board
            .write_at(b"printed by mistake", 0)
            .expect("it takes it");
        board.write_at(&cells, CELLS_AT).expect("it takes it");
        assert!(
            board
                .write_at(&cells, board.metadata().expect("it has some").len())
                .is_err()
        );
        let unit = InFlight {
            track: TrackId(7),
            unit: JournalSeq(0x201),
        };
        assert_eq!(read(&board), [unit]);
    }
}
