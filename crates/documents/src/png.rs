//! The chunks of a PNG, read for what the decoder would not say: that it is cut off, or that it moves.

/// What the chunks say.
pub(crate) struct Chunks {
    /// It has its end chunk.
    pub(crate) whole: bool,
    pub(crate) animated: bool,
}

const SIGNATURE: usize = 8;
/// A length, a name and a check sum around each chunk's data.
const AROUND: usize = 12;

pub(crate) fn chunks(bytes: &[u8]) -> Chunks {
    let (mut at, mut animated) = (SIGNATURE, false);
    while let Some(head) = bytes.get(at..).filter(|rest| rest.len() >= AROUND) {
        let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]);
        animated |= &head[4..8] == b"acTL";
        let end = at.saturating_add(AROUND).saturating_add(length as usize);
        if &head[4..8] == b"IEND" {
            return Chunks { whole: end <= bytes.len(), animated };
        }
        at = end;
    }
    Chunks { whole: false, animated }
}
