//! A TUN device with offloads: whole super-packets, checksums left to whoever sends on the wire.

use core::ffi::{c_int, c_uint};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags};
use rustix::ioctl::{IntegerSetter, Setter};

/// From `linux/if_tun.h`.
const TUNSETIFF: c_uint = 0x4004_54ca;
const TUNSETOFFLOAD: c_uint = 0x4004_54d0;
const IFF_TUN: u16 = 0x0001;
const IFF_NO_PI: u16 = 0x1000;
const IFF_VNET_HDR: u16 = 0x4000;
const TUN_F_CSUM: usize = 0x01;
const TUN_F_TSO4: usize = 0x02;
const TUN_F_TSO6: usize = 0x04;
const TUN_F_TSO_ECN: usize = 0x08;
const TUN_F_USO4: usize = 0x20;
const TUN_F_USO6: usize = 0x40;

/// What the kernel may hand over unfinished, most first: older kernels know less.
const OFFLOADS: [usize; 3] = [
    TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN | TUN_F_USO4 | TUN_F_USO6,
    TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN,
    0,
];

/// `struct ifreq`, as far as TUNSETIFF reads it.
#[repr(C)]
struct InterfaceRequest {
    name: [u8; 16],
    flags: u16,
    rest: [u8; 22],
}

/// An open TUN device. It vanishes when it is closed.
#[derive(Debug)]
pub(crate) struct Tun {
    file: OwnedFd,
}

impl Tun {
    /// Makes a device of this name, of at most 15 bytes.
    pub(crate) fn create(name: &str) -> io::Result<Self> {
        let file = rustix::fs::open(
            "/dev/net/tun",
            OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC,
            Mode::empty(),
        )?;
        let mut request = InterfaceRequest {
            name: [0; 16],
            flags: IFF_TUN | IFF_NO_PI | IFF_VNET_HDR,
            rest: [0; 22],
        };
        if name.len() >= request.name.len() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        request.name[..name.len()].copy_from_slice(name.as_bytes());
        // SAFETY: TUNSETIFF reads a `struct ifreq`, of which `InterfaceRequest` has size and layout.
        unsafe {
            let setter = Setter::<{ TUNSETIFF as _ }, InterfaceRequest>::new(request);
            rustix::ioctl::ioctl(&file, setter)?;
        }
        let accepted = OFFLOADS.into_iter().find(|offloads| {
            // SAFETY: TUNSETOFFLOAD takes its argument by value.
            unsafe {
                let setter = IntegerSetter::<{ TUNSETOFFLOAD as _ }>::new_usize(*offloads);
                rustix::ioctl::ioctl(&file, setter).is_ok()
            }
        });
        match accepted {
            Some(_) => Ok(Self { file }),
            None => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Reads the next packet, with its header of 10 bytes in front; `None` if there is none now.
    pub(crate) fn read(&self, into: &mut [u8]) -> io::Result<Option<usize>> {
        match rustix::io::read(&self.file, into) {
            Ok(length) => Ok(Some(length)),
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes a packet with its header in front. `false`: the kernel did not take it.
    pub(crate) fn write(&self, packet: &[u8]) -> bool {
        rustix::io::write(&self.file, packet).is_ok()
    }
}

impl AsFd for Tun {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

const _: () = assert!(size_of::<InterfaceRequest>() == 40 && size_of::<c_int>() == 4);
