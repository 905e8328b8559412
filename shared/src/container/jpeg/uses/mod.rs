//! Which tables of a JPEG a scan uses before they are replaced. One that none uses shows nothing, and any
//! number of them could carry a file.

use alloc::vec::Vec;

use super::{frame::Scan, segment::marker};

/// Four tables of each kind: quantisation, DC, AC.
const SLOTS: usize = 4 * 3;

/// A table that is in force.
#[derive(Clone, Copy, Debug)]
struct Definition {
    number: usize,
    bytes: u64,
    is_used: bool,
}

/// A table that no scan has used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unused {
    /// Which of all tables of the file, in their order.
    pub number: usize,
    /// Its bytes.
    pub bytes: u64,
}

/// Follows definitions and scans.
#[derive(Clone, Debug, Default)]
pub struct Uses {
    slots: [Option<Definition>; SLOTS],
    defined: usize,
    /// Names of the components that have taken their quantisation table: at their first scan.
    quantised: Vec<u8>,
}

impl Uses {
    /// Takes the tables of a DHT or DQT segment; answers through `unused` which ones they replace.
    pub fn define(&mut self, marker: u8, payload: &[u8], mut unused: impl FnMut(Unused)) {
        for table in tables(marker, payload) {
            let definition =
                Definition { number: self.defined, bytes: table.len() as u64, is_used: false };
            self.defined += 1;
            let slot = slot(marker, table).and_then(|slot| self.slots.get_mut(slot));
            let Some(slot) = slot else { continue };
            if let Some(replaced) = slot.replace(definition) {
                replaced.report(&mut unused);
            }
        }
    }

    /// Takes a scan.
    pub fn scan(&mut self, scan: &Scan, progressive: bool) {
        for part in &scan.parts {
            let component = part.component;
            if !self.quantised.contains(&component.id) {
                self.quantised.push(component.id);
                self.mark(0, component.quantisation);
            }
            // Refinement of DC has bits without codes (section G.1.2.1).
            if !progressive || scan.starts_components() {
                self.mark(4, part.dc);
            }
            if !progressive || !scan.is_of_dc() {
                self.mark(8, part.ac);
            }
        }
    }

    /// The file ends; answers which tables in force no scan has used.
    pub fn finish(&self, mut unused: impl FnMut(Unused)) {
        for definition in self.slots.iter().flatten() {
            definition.report(&mut unused);
        }
    }

    fn mark(&mut self, kind: usize, number: u8) {
        let slot = self.slots.get_mut(kind + usize::from(number & 3));
        if let Some(Some(definition)) = slot {
            definition.is_used = true;
        }
    }
}

impl Definition {
    fn report(&self, unused: &mut impl FnMut(Unused)) {
        if !self.is_used {
            unused(Unused { number: self.number, bytes: self.bytes });
        }
    }
}

/// The tables of a DHT or DQT segment, each with the byte that names it. Both were found to be sound.
pub fn tables(marker: u8, payload: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = payload;
    core::iter::from_fn(move || {
        let &[head, ..] = rest else { return None };
        let length = match marker {
            marker::DHT => {
                1 + 16
                    + rest.iter().skip(1).take(16).map(|count| usize::from(*count)).sum::<usize>()
            }
            _ if head >> 4 == 0 => 1 + 64,
            _ => 1 + 128,
        };
        let (table, after) = rest.split_at_checked(length).unwrap_or((rest, &[]));
        rest = after;
        Some(table)
    })
}

fn slot(marker: u8, table: &[u8]) -> Option<usize> {
    let head = *table.first()?;
    let number = usize::from(head & 3);
    match (marker, head >> 4) {
        (marker::DQT, _) => Some(number),
        (_, 0) => Some(4 + number),
        (_, 1) => Some(8 + number),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
