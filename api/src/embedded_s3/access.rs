//! Who may do what: a valid signature anything, nobody else anything but reading single objects, if that is on.

use http::Method;
use s3s::access::{S3Access, S3AccessContext};
use s3s::{S3Result, s3_error};

/// Signed requests pass; unsigned ones may read objects when `public_read` is set.
pub(super) struct SignedOrPublicRead {
    pub(super) public_read: bool,
}

#[async_trait::async_trait]
impl S3Access for SignedOrPublicRead {
    async fn check(&self, cx: &mut S3AccessContext<'_>) -> S3Result<()> {
        if cx.credentials().is_some() {
            return Ok(());
        }
        let reads_object = matches!(cx.s3_op().name(), "GetObject" | "HeadObject")
            && matches!(*cx.method(), Method::GET | Method::HEAD);
        // As with AWS, only a signer may choose the response headers.
        let overrides = cx
            .uri()
            .query()
            .is_some_and(|query| query.contains("response-"));
        if self.public_read && reads_object && !overrides {
            return Ok(());
        }
        Err(s3_error!(AccessDenied, "Signature is required"))
    }
}
