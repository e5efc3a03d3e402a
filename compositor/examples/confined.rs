//! A confined process that tries what a taken-over decoder would try. It writes on standard output, a line for each, what
//! came of it.
//!
//! Arguments: a file of somebody else, a TCP address and a Unix socket where somebody listens, and what this kernel is to
//! lack: any of `landlock`, `seccomp` and `unshare`.

use std::fs::{self, File};
use std::io;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;

use compositor::confine::{Needs, confine};
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::kill;
use nix::unistd::getppid;
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, apply_filter};

const MEMORY_BYTES_MAX: u64 = 2 << 30;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, tcp, unix, lacking @ ..] = &arguments[..] else {
        return Err("a file, a TCP address and a Unix socket are needed".into());
    };
    pretend_an_older_kernel(lacking)?;
    confine(&Needs {
        memory_bytes_max: MEMORY_BYTES_MAX,
        read: &[],
        write: &[],
    })?;
    for (name, _) in std::env::vars_os() {
        println!("environment: {}", name.display());
    }
    let parent = getppid();
    let beside = Path::new(file).with_extension("new");
    tell("connect", TcpStream::connect(tcp));
    tell("connect to a Unix socket", UnixStream::connect(unix));
    tell("listen", TcpListener::bind("127.0.0.1:0"));
    tell("open a UDP socket", UdpSocket::bind("127.0.0.1:0"));
    tell("read a file", fs::read(file));
    tell(
        "list a folder",
        fs::read_dir("/root/..").map(Iterator::count),
    );
    let environment = format!("/proc/{parent}/environ");
    tell("read the server's environment", fs::read(environment));
    tell("write a file", File::options().write(true).open(file));
    tell("make a file", File::create(&beside));
    tell("remove a file", fs::remove_file(file));
    tell("make a folder", fs::create_dir(&beside));
    tell("run a program", Command::new("/bin/true").status());
    tell("signal the server", kill(parent, None).map_err(Into::into));
    let unlimited = setrlimit(Resource::RLIMIT_NOFILE, 4096, 4096);
    tell("raise a limit", unlimited.map_err(Into::into));
    tell("take more memory", memory(MEMORY_BYTES_MAX as usize));
    tell(
        "open many files",
        (0..300)
            .map(|_| File::open("/dev/null"))
            .collect::<Result<Vec<_>, _>>(),
    );
    tell("start a thread", std::thread::Builder::new().spawn(|| ()));
    tell("take some memory", memory(64 << 20));
    tell(
        "read a library",
        fs::read_dir("/usr/lib").map(Iterator::count),
    );
    Ok(())
}

fn memory(bytes: usize) -> io::Result<Vec<u8>> {
    let mut memory = Vec::new();
    match memory.try_reserve_exact(bytes) {
        Ok(()) => Ok(memory),
        Err(error) => Err(io::Error::other(error)),
    }
}

fn tell<T>(what: &str, came: io::Result<T>) {
    match came {
        Ok(_) => println!("{what}: done"),
        Err(error) => println!("{what}: refused: {error}"),
    }
}

/// Answers the calls that it lacks as it would.
fn pretend_an_older_kernel(lacking: &[String]) -> Result<(), Box<dyn std::error::Error>> {
    let calls = lacking.iter().map(|what| match what.as_str() {
        "landlock" => Ok((libc::SYS_landlock_create_ruleset, vec![])),
        "seccomp" => Ok((libc::SYS_seccomp, vec![])),
        "unshare" => Ok((libc::SYS_unshare, vec![])),
        other => Err(format!("{other}: not something to lack")),
    });
    let filter = SeccompFilter::new(
        calls.collect::<Result<_, _>>()?,
        SeccompAction::Allow,
        SeccompAction::Errno(libc::ENOSYS as u32),
        std::env::consts::ARCH.try_into()?,
    )?;
    if !lacking.is_empty() {
        let program: BpfProgram = filter.try_into()?;
        apply_filter(&program)?;
    }
    Ok(())
}
