//! Is this what was asked for, is it whole, is it small enough.

use crate::kind::{HEAD, Kind};
use crate::video::Walk;
use crate::{pdf, picture};
use domain::Invalid;

/// What can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// JPEG or PNG.
    Picture,
    Pdf,
    /// MP4, AVI or FLV, by container.
    Video,
}

/// Which families are taken here, each with the most bytes it may have.
///
/// Of a picture that [`fit`](crate::fit()) makes smaller afterwards this is the bound of the upload, not the provider's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Accept {
    pub picture: Option<u64>,
    pub pdf: Option<u64>,
    pub video: Option<u64>,
}

/// What was found, and found in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inspected {
    /// Decoded whole. The sides are those of the upright picture.
    Picture { kind: Kind, width: u32, height: u32 },
    /// Opened, not encrypted, without scripts.
    Pdf { pages: u32 },
    /// Its container is complete; what is in it was not decoded.
    Video { kind: Kind },
}

/// Checks a whole file. The codes of a refusal: `file_empty`, `not_a_picture`, `not_a_pdf`, `not_a_video`, `file_kind_not_accepted`,
/// `picture_too_large`, `picture_too_many_pixels`, `picture_animated`, `picture_truncated`, `picture_damaged`, `pdf_too_large`,
/// `pdf_truncated`, `pdf_damaged`, `pdf_encrypted`, `pdf_without_pages`, `pdf_has_script`, `video_too_large`, `video_truncated`,
/// `video_damaged`.
pub fn inspect(accept: &Accept, bytes: &[u8]) -> Result<Inspected, Invalid> {
    let kind = Kind::of(&bytes[..bytes.len().min(HEAD)]);
    let total = bytes.len() as u64;
    match accept.admit(kind, total)? {
        Family::Picture => picture::check(kind, bytes),
        Family::Pdf => pdf::check(bytes),
        Family::Video => {
            let mut walk = Walk::new(kind, Some(total));
            walk.feed(bytes)?;
            walk.finish()?;
            Ok(Inspected::Video { kind })
        }
    }
}

impl Family {
    /// Of the kinds that are taken; the others belong to none.
    pub(crate) fn of(kind: Kind) -> Option<Self> {
        match kind {
            Kind::Jpeg | Kind::Png => Some(Self::Picture),
            Kind::Pdf => Some(Self::Pdf),
            Kind::Mp4 | Kind::Avi | Kind::Flv => Some(Self::Video),
            Kind::Gif
            | Kind::WebP
            | Kind::Heic
            | Kind::Bmp
            | Kind::Tiff
            | Kind::QuickTime
            | Kind::ThreeGp
            | Kind::Matroska
            | Kind::Sound
            | Kind::Zip
            | Kind::Office
            | Kind::Empty
            | Kind::Unknown => None,
        }
    }
}

impl Accept {
    pub fn picture(bytes_max: u64) -> Self {
        Self { picture: Some(bytes_max), ..Self::default() }
    }

    pub fn pdf(bytes_max: u64) -> Self {
        Self { pdf: Some(bytes_max), ..Self::default() }
    }

    pub fn video(bytes_max: u64) -> Self {
        Self { video: Some(bytes_max), ..Self::default() }
    }

    fn bytes_max(&self, family: Family) -> Option<u64> {
        match family {
            Family::Picture => self.picture,
            Family::Pdf => self.pdf,
            Family::Video => self.video,
        }
    }

    /// The family, if it is taken and not larger than it may be. `total` may be what was seen so far.
    pub(crate) fn admit(&self, kind: Kind, total: u64) -> Result<Family, Invalid> {
        let found = Family::of(kind).and_then(|family| Some((family, self.bytes_max(family)?)));
        let (family, bytes_max) = found.ok_or_else(|| self.mismatch(kind))?;
        if total > bytes_max {
            return Err(too_large(family, total, bytes_max));
        }
        Ok(family)
    }

    fn mismatch(&self, kind: Kind) -> Invalid {
        if kind == Kind::Empty {
            return Invalid::new("file_empty", "the file is empty: choose it again", "文件为空：请重新选择文件");
        }
        let (found, found_zh) = kind.words();
        let wanted: Vec<Family> = [Family::Picture, Family::Pdf, Family::Video]
            .into_iter()
            .filter(|it| self.bytes_max(*it).is_some())
            .collect();
        let join = |pick: fn(&Wanted) -> &'static str, or: &str| {
            wanted.iter().map(|family| pick(&Wanted::of(*family))).collect::<Vec<_>>().join(or)
        };
        let code = if let [family] = wanted[..] { Wanted::of(family).code } else { "file_kind_not_accepted" };
        let (name, name_zh) = (join(|it| it.name, " or "), join(|it| it.name_zh, "或"));
        let (advice, advice_zh) = if kind == Kind::Heic && self.picture.is_some() {
            const JPEG: &str = "set the phone's camera to \"most compatible\", or save the photo as JPEG";
            (JPEG.to_owned(), "请将手机相机格式设为“兼容性最佳”，或另存为 JPEG 后上传".to_owned())
        } else {
            (join(|it| it.advice, ", or "), join(|it| it.advice_zh, "，或"))
        };
        Invalid::new(
            code,
            &format!("this is {found}, not {name}: {advice}"),
            &format!("这是{found_zh}，不是{name_zh}：{advice_zh}"),
        )
    }
}

/// How a family is asked for.
struct Wanted {
    code: &'static str,
    name: &'static str,
    name_zh: &'static str,
    advice: &'static str,
    advice_zh: &'static str,
}

impl Wanted {
    fn of(family: Family) -> Self {
        match family {
            Family::Picture => Self {
                code: "not_a_picture",
                name: "a JPEG or PNG picture",
                name_zh: "JPEG 或 PNG 图片",
                advice: "upload the photo or scan as JPEG or PNG",
                advice_zh: "请上传 JPEG 或 PNG 格式的照片或扫描件",
            },
            Family::Pdf => Self {
                code: "not_a_pdf",
                name: "a PDF",
                name_zh: "PDF 文件",
                advice: "upload the PDF itself",
                advice_zh: "请上传 PDF 原件",
            },
            Family::Video => Self {
                code: "not_a_video",
                name: "an MP4, AVI or FLV video",
                name_zh: "MP4、AVI 或 FLV 视频",
                advice: "save the video as MP4 and upload that",
                advice_zh: "请将视频保存为 MP4 后上传",
            },
        }
    }
}

fn too_large(family: Family, bytes: u64, bytes_max: u64) -> Invalid {
    let (code, name, name_zh, advice, advice_zh) = match family {
        Family::Picture => {
            ("picture_too_large", "picture", "图片", "take it at a lower resolution", "请降低分辨率后重新拍摄")
        }
        Family::Pdf => (
            "pdf_too_large",
            "PDF",
            "PDF 文件",
            "scan at a lower resolution or leave pages out",
            "请降低扫描分辨率或减少页数",
        ),
        Family::Video => {
            ("video_too_large", "video", "视频", "record a shorter one or a lower quality", "请缩短时长或降低清晰度")
        }
    };
    // Up here and down there, so that the two never read the same.
    let (size, size_max) = (megabytes(bytes.saturating_add(99_999)), megabytes(bytes_max));
    Invalid::new(
        code,
        &format!("the {name} has {size} MB or more, and at most {size_max} MB are taken: {advice}"),
        &format!("{name_zh}大小为 {size} MB 或更大，上限为 {size_max} MB：{advice_zh}"),
    )
}

/// With one digit after the point, rounded down.
fn megabytes(bytes: u64) -> String {
    let tenths = bytes / 100_000;
    format!("{}.{}", tenths / 10, tenths % 10)
}
