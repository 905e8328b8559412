//! The memory allocator of the Worker: `dlmalloc`, as in the standard library, on memory that grows only by what is
//! missing.
//!
//! When nothing free is large enough, `dlmalloc` asks for the whole size of the allocation, also if a part of it is free
//! at the end of the heap. With large allocations that nearly doubles the memory: 40 MB that are free at the end and a
//! picture of 44 MB make 84 MB. Wasm memory never shrinks, and an isolate has 128 MB. Here `dlmalloc` gets at most a
//! megabyte at a time, joins it with the end of the heap, and is called again until the allocation fits.
#![no_std]

use core::{
    alloc::{GlobalAlloc, Layout},
    cell::{Cell, UnsafeCell},
    ptr,
};

use dlmalloc::{Allocator, Dlmalloc};

/// Bytes of a page of wasm memory.
const PAGE_BYTES: usize = 64 * 1024;
/// A megabyte.
const MOST_PAGES: usize = 16;

/// Memory that grows at its end.
pub trait Memory: Send {
    /// Adds pages and returns where they begin, if there is room for them.
    fn grow(&self, pages: usize) -> Option<*mut u8>;
}

/// The memory of a wasm module.
#[cfg(target_arch = "wasm32")]
pub struct WasmMemory;

#[cfg(target_arch = "wasm32")]
impl Memory for WasmMemory {
    fn grow(&self, pages: usize) -> Option<*mut u8> {
        let before = core::arch::wasm32::memory_grow(0, pages);
        (before != usize::MAX).then(|| ptr::without_provenance_mut(before * PAGE_BYTES))
    }
}

/// A global allocator for a module with one thread.
pub struct Heap<M>(UnsafeCell<Dlmalloc<Growth<M>>>);

// SAFETY: the module has one thread.
unsafe impl<M: Memory> Sync for Heap<M> {}

struct Growth<M> {
    memory: M,
    has_grown: Cell<bool>,
}

// SAFETY: the pages belong to nobody else. There may be fewer than `dlmalloc` asked for: it adds them to the end of the
// heap, checks whether that is large enough now, and otherwise returns null.
unsafe impl<M: Memory> Allocator for Growth<M> {
    fn alloc(&self, size: usize) -> (*mut u8, usize, u32) {
        let pages = size.div_ceil(PAGE_BYTES).min(MOST_PAGES);
        let Some(start) = self.memory.grow(pages) else { return (ptr::null_mut(), 0, 0) };
        self.has_grown.set(true);
        (start, pages * PAGE_BYTES, 0)
    }

    fn remap(&self, _: *mut u8, _: usize, _: usize, _: bool) -> *mut u8 {
        ptr::null_mut()
    }

    fn free_part(&self, _: *mut u8, _: usize, _: usize) -> bool {
        false
    }

    fn free(&self, _: *mut u8, _: usize) -> bool {
        false
    }

    fn can_release_part(&self, _: u32) -> bool {
        false
    }

    fn allocates_zeros(&self) -> bool {
        true
    }

    fn page_size(&self) -> usize {
        PAGE_BYTES
    }
}

impl<M: Memory> Heap<M> {
    /// A heap without memory.
    pub const fn new(memory: M) -> Self {
        let growth = Growth { memory, has_grown: Cell::new(false) };
        Self(UnsafeCell::new(Dlmalloc::new_with_allocator(growth)))
    }

    /// Repeats a call that returned null as long as there is more memory each time.
    fn call(&self, mut call: impl FnMut(&mut Dlmalloc<Growth<M>>) -> *mut u8) -> *mut u8 {
        // SAFETY: the module has one thread, and an allocator is not called while it runs.
        let heap = unsafe { &mut *self.0.get() };
        loop {
            heap.allocator().has_grown.set(false);
            let allocated = call(heap);
            if !allocated.is_null() || !heap.allocator().has_grown.get() {
                return allocated;
            }
        }
    }
}

// SAFETY: all calls are those of `dlmalloc`, whose contract is the same.
unsafe impl<M: Memory> GlobalAlloc for Heap<M> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the contract of this function.
        self.call(|heap| unsafe { heap.malloc(layout.size(), layout.align()) })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the contract of this function.
        self.call(|heap| unsafe { heap.calloc(layout.size(), layout.align()) })
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        // SAFETY: as in `call`, and the contract of this function.
        unsafe { (*self.0.get()).free(start, layout.size(), layout.align()) }
    }

    unsafe fn realloc(&self, start: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let (size, align) = (layout.size(), layout.align());
        // SAFETY: the contract of this function. What returned null has left the allocation as it was.
        self.call(|heap| unsafe { heap.realloc(start, size, align, new_size) })
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use core::slice;
    use std::{boxed::Box, vec, vec::Vec};

    use super::*;

    const MB: usize = 1024 * 1024;

    /// A part of memory that is reserved in full.
    struct Reserved {
        start: usize,
        pages: usize,
        used: Cell<usize>,
    }

    impl Reserved {
        fn new(bytes: usize) -> Self {
            let memory = Box::leak(vec![0_u8; bytes + PAGE_BYTES].into_boxed_slice());
            let start = memory.as_mut_ptr().expose_provenance().next_multiple_of(PAGE_BYTES);
            Self { start, pages: bytes / PAGE_BYTES, used: Cell::new(0) }
        }
    }

    impl Memory for Reserved {
        fn grow(&self, pages: usize) -> Option<*mut u8> {
            let before = self.used.get();
            let is_free = before + pages <= self.pages;
            self.used.set(if is_free { before + pages } else { before });
            is_free.then(|| ptr::with_exposed_provenance_mut(self.start + before * PAGE_BYTES))
        }
    }

    fn used_bytes(heap: &Heap<Reserved>) -> usize {
        // SAFETY: nothing is being allocated.
        unsafe { (*heap.0.get()).allocator().memory.used.get() * PAGE_BYTES }
    }

    fn layout(bytes: usize) -> Layout {
        Layout::from_size_align(bytes, 8).unwrap()
    }

    fn allocate(heap: &Heap<Reserved>, bytes: usize) -> *mut u8 {
        // SAFETY: the size is not zero.
        let start = unsafe { heap.alloc(layout(bytes)) };
        assert!(!start.is_null(), "no memory for {bytes} bytes");
        start
    }

    fn free(heap: &Heap<Reserved>, start: *mut u8, bytes: usize) {
        // SAFETY: it was allocated with this size.
        unsafe { heap.dealloc(start, layout(bytes)) }
    }

    #[test]
    fn memory_grows_only_by_what_is_missing() {
        let heap = Heap::new(Reserved::new(128 * MB));
        let body = allocate(&heap, 5 * MB);
        let picture = allocate(&heap, 40 * MB);
        free(&heap, picture, 40 * MB);
        let picture = allocate(&heap, 44 * MB);
        assert!(used_bytes(&heap) <= 51 * MB, "{}", used_bytes(&heap));
        // An allocation that is the last grows where it is.
        // SAFETY: it was allocated with this size.
        let grown = unsafe { heap.realloc(picture, layout(44 * MB), 60 * MB) };
        assert_eq!(grown, picture);
        assert!(used_bytes(&heap) <= 67 * MB, "{}", used_bytes(&heap));
        free(&heap, body, 5 * MB);
        free(&heap, grown, 60 * MB);
        allocate(&heap, 65 * MB);
        assert!(used_bytes(&heap) <= 67 * MB, "{}", used_bytes(&heap));
    }

    #[test]
    fn without_more_memory_there_is_null_and_the_heap_stays_usable() {
        let heap = Heap::new(Reserved::new(8 * MB));
        // SAFETY: the size is not zero.
        assert!(unsafe { heap.alloc(layout(9 * MB)) }.is_null());
        let all = allocate(&heap, 7 * MB);
        // SAFETY: it was allocated with this size.
        assert!(unsafe { heap.realloc(all, layout(7 * MB), 9 * MB) }.is_null());
        free(&heap, all, 7 * MB);
        allocate(&heap, 7 * MB);
    }

    #[test]
    fn allocations_keep_their_bytes() {
        let heap = Heap::new(Reserved::new(256 * MB));
        let mut held: Vec<(*mut u8, usize, u8)> = Vec::new();
        let mut state = 1_u32;
        let mut random = move |below: u32| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            (state % below) as usize
        };
        for round in 0..4_000_u32 {
            let mark = round.to_le_bytes()[0];
            if held.len() < 40 || random(2) == 0 {
                let magnitude = random(17);
                let bytes = 1 + random(1 << (4 + magnitude));
                let start = allocate(&heap, bytes);
                // SAFETY: so many bytes were allocated.
                unsafe { start.write_bytes(mark, bytes) };
                held.push((start, bytes, mark));
            } else {
                let (start, bytes, mark) = held.swap_remove(random(40));
                // SAFETY: so many bytes were allocated, and written.
                let content = unsafe { slice::from_raw_parts(start, bytes) };
                assert!(content.iter().all(|byte| *byte == mark), "round {round}");
                free(&heap, start, bytes);
            }
        }
    }
}
