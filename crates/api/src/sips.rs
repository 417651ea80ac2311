//! A body in sips: after each frame it says once that the next is not there yet.
//!
//! The reader of forms takes all that its body gives without waiting, before it hands on what it has; from a fast client that is the
//! whole file, of every client at once (P64).

use hyper::body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll};

pub(crate) struct Sips<B> {
    body: B,
    /// The frame before was just given.
    swallowing: bool,
}

impl<B> Sips<B> {
    pub(crate) fn new(body: B) -> Self {
        Self { body, swallowing: false }
    }
}

impl<B: Body + Unpin> Body for Sips<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        if std::mem::take(&mut self.swallowing) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        self.swallowing = matches!(frame, Poll::Ready(Some(Ok(_))));
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Bytes;
    use http_body_util::BodyExt;
    use std::task::Waker;

    /// A client that is always faster.
    struct Flood(usize);

    impl Body for Flood {
        type Data = Bytes;
        type Error = std::convert::Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
            let left = self.0.checked_sub(1);
            self.0 = left.unwrap_or(0);
            Poll::Ready(left.map(|_| Ok(Frame::data(Bytes::from_static(b"frame")))))
        }
    }

    #[tokio::test]
    async fn p64_a_flood_is_taken_frame_by_frame() {
        let (mut sips, mut cx) = (Sips::new(Flood(3)), Context::from_waker(Waker::noop()));
        assert!(Pin::new(&mut sips).poll_frame(&mut cx).is_ready());
        assert!(Pin::new(&mut sips).poll_frame(&mut cx).is_pending(), "first this one");
        assert!(Pin::new(&mut sips).poll_frame(&mut cx).is_ready());
        assert_eq!(Sips::new(Flood(3)).collect().await.unwrap().to_bytes().len(), 15, "and nothing is lost");
    }
}
