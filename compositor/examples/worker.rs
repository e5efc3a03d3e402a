//! A composition worker alone, as `proscenium compose` runs it: its standard input is the supervisor's socket.

fn main() -> Result<(), compositor::worker::WorkerError> {
    compositor::worker::run()
}
