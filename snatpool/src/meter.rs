//! Counts the slots and bitmap words that a call touches: in unit tests alone.

/// `count` more slots or words were looked at.
#[cfg(not(test))]
#[inline(always)]
pub(crate) const fn touch(_count: u32) {}

#[cfg(test)]
pub(crate) use counting::{take, touch};

#[cfg(test)]
mod counting {
    extern crate std;

    use core::cell::Cell;

    std::thread_local! {
        static TOUCHED: Cell<u32> = const { Cell::new(0) };
    }

    pub(crate) fn touch(count: u32) {
        TOUCHED.with(|touched| touched.set(touched.get() + count));
    }

    /// What was counted since the last call.
    pub(crate) fn take() -> u32 {
        TOUCHED.with(|touched| touched.replace(0))
    }
}
