//! What a file is, by its first bytes.

/// As many bytes as [`Kind::of`] ever looks at.
pub(crate) const HEAD: usize = 64;

/// What the content says. The kinds that no provider takes are named so that a refusal can say what was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    Jpeg,
    Png,
    Pdf,
    Mp4,
    Avi,
    Flv,
    Gif,
    WebP,
    Heic,
    Bmp,
    Tiff,
    QuickTime,
    ThreeGp,
    Matroska,
    Sound,
    /// ZIP, and with it the newer office documents.
    Zip,
    /// The older office documents.
    Office,
    Empty,
    Unknown,
}

impl Kind {
    /// Recognised by the first [`HEAD`] bytes, or by all there are.
    pub fn of(head: &[u8]) -> Self {
        const MAGIC: [(&[u8], Kind); 14] = [
            (b"\xff\xd8\xff", Kind::Jpeg),
            (b"\x89PNG\r\n\x1a\n", Kind::Png),
            (b"%PDF-", Kind::Pdf),
            // Some office software writes a byte-order mark before it.
            (b"\xef\xbb\xbf%PDF-", Kind::Pdf),
            (b"FLV\x01", Kind::Flv),
            (b"GIF8", Kind::Gif),
            (b"BM", Kind::Bmp),
            (b"II*\0", Kind::Tiff),
            (b"MM\0*", Kind::Tiff),
            (b"\x1a\x45\xdf\xa3", Kind::Matroska),
            (b"ID3", Kind::Sound),
            (b"OggS", Kind::Sound),
            (b"PK\x03\x04", Kind::Zip),
            (b"\xd0\xcf\x11\xe0", Kind::Office),
        ];
        if head.is_empty() {
            return Self::Empty;
        }
        if let Some((_, kind)) = MAGIC.iter().find(|(magic, _)| head.starts_with(magic)) {
            return *kind;
        }
        match (head.get(..4), head.get(4..8), head.get(8..12)) {
            (Some(b"RIFF"), _, Some(b"AVI ")) => Self::Avi,
            (Some(b"RIFF"), _, Some(b"WEBP")) => Self::WebP,
            (Some(b"RIFF"), _, Some(b"WAVE")) => Self::Sound,
            (_, Some(b"ftyp"), Some(brand)) => Self::of_brand(brand),
            _ => Self::Unknown,
        }
    }

    /// One family of boxes, many uses: the brand says which.
    fn of_brand(brand: &[u8]) -> Self {
        match brand {
            b"qt  " => Self::QuickTime,
            b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"hevx" | b"mif1" | b"msf1" | b"avif" | b"avis" => {
                Self::Heic
            }
            b"M4A " | b"M4B " | b"M4P " => Self::Sound,
            _ if brand.starts_with(b"3g") => Self::ThreeGp,
            _ => Self::Mp4,
        }
    }

    /// "a JPEG picture", in English and Chinese.
    pub(crate) fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Jpeg => ("a JPEG picture", "JPEG 图片"),
            Self::Png => ("a PNG picture", "PNG 图片"),
            Self::Pdf => ("a PDF", "PDF 文件"),
            Self::Mp4 => ("an MP4 video", "MP4 视频"),
            Self::Avi => ("an AVI video", "AVI 视频"),
            Self::Flv => ("an FLV video", "FLV 视频"),
            Self::Gif => ("a GIF picture", "GIF 图片"),
            Self::WebP => ("a WebP picture", "WebP 图片"),
            Self::Heic => ("a HEIC photo", "HEIC 照片"),
            Self::Bmp => ("a BMP picture", "BMP 图片"),
            Self::Tiff => ("a TIFF picture", "TIFF 图片"),
            Self::QuickTime => ("a QuickTime (MOV) video", "QuickTime（MOV）视频"),
            Self::ThreeGp => ("a 3GP video", "3GP 视频"),
            Self::Matroska => ("a WebM or Matroska video", "WebM 或 MKV 视频"),
            Self::Sound => ("a sound recording", "音频文件"),
            Self::Zip => ("a ZIP archive or office document", "ZIP 压缩包或 Office 文档"),
            Self::Office => ("an office document", "Office 文档"),
            Self::Empty => ("an empty file", "空文件"),
            Self::Unknown => ("a file of an unknown kind", "无法识别的文件"),
        }
    }
}
