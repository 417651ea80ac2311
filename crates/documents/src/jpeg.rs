//! Where a JPEG ends. The decoder makes the best of a file that is cut off, and grey of what is missing; here that is a refusal.

/// How far the segments go.
pub(crate) enum Extent {
    /// Up to its end marker. What may follow (a phone's moving picture) is left alone.
    Whole,
    CutOff,
    /// More scans than any encoder makes, each of which costs a pass over the picture.
    Hostile,
}

const SCANS_MAX: u32 = 64;
const END: u8 = 0xd9;
const SCAN: u8 = 0xda;

/// Goes from marker to marker, past whatever the segments say they hold.
pub(crate) fn extent(bytes: &[u8]) -> Extent {
    let (mut at, mut scans) = (2, 0);
    loop {
        // Within a scan, a marker byte followed by zero is data, and the restart markers have no length.
        let Some(found) = bytes.get(at..).and_then(marker) else { return Extent::CutOff };
        at += found;
        let code = bytes[at - 1];
        if code == END {
            return Extent::Whole;
        }
        let Some(length) = bytes.get(at..at + 2) else { return Extent::CutOff };
        at += usize::from(u16::from_be_bytes([length[0], length[1]])).max(2);
        scans += u32::from(code == SCAN);
        if scans > SCANS_MAX {
            return Extent::Hostile;
        }
    }
}

/// How many bytes to behind the next marker that ends the file or has a length.
fn marker(bytes: &[u8]) -> Option<usize> {
    let bare = |code: u8| matches!(code, 0 | 1 | 0xd0..=0xd8 | 0xff);
    bytes.windows(2).position(|pair| pair[0] == 0xff && !bare(pair[1])).map(|place| place + 2)
}
