//! The file system backend of s3s with the guards that it lacks: a PUT makes no bucket, a bucket that is not empty stays,
//! a folder is no object, no key leaves its bucket, and a deleted object leaves no files behind.

use std::io;
use std::path::{Path, PathBuf};

use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, CompleteMultipartUploadInput,
    CompleteMultipartUploadOutput, CopyObjectInput, CopyObjectOutput, CopySource,
    CreateBucketInput, CreateBucketOutput, CreateMultipartUploadInput, CreateMultipartUploadOutput,
    DeleteBucketInput, DeleteBucketOutput, DeleteObjectInput, DeleteObjectOutput,
    DeleteObjectsInput, DeleteObjectsOutput, DeletedObject, GetBucketLocationInput,
    GetBucketLocationOutput, GetObjectInput, GetObjectOutput, HeadBucketInput, HeadBucketOutput,
    HeadObjectInput, HeadObjectOutput, ListBucketsInput, ListBucketsOutput, ListObjectsInput,
    ListObjectsOutput, ListObjectsV2Input, ListObjectsV2Output, ListPartsInput, ListPartsOutput,
    PutObjectInput, PutObjectOutput, Range, UploadPartCopyInput, UploadPartCopyOutput,
    UploadPartInput, UploadPartOutput,
};
use s3s::{S3, S3Error, S3ErrorCode, S3Request, S3Response, S3Result, s3_error};
use s3s_fs::FileSystem;
use tokio::fs;

use super::content_type::{cache_control, content_type};
use super::key_rule::{self, KeyProblem};

/// How often an object is read that is replaced meanwhile; players fetch playlists just when these change.
const READS_MAX: u32 = 5;

/// Buckets as folders under one root.
#[derive(Debug)]
pub(super) struct BucketFiles {
    files: FileSystem,
    root: PathBuf,
}

impl BucketFiles {
    /// Opens `root`, making it if need be.
    pub(super) fn open(root: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(root)?;
        let root = root.canonicalize()?;
        let files =
            FileSystem::new(&root).map_err(|error| io::Error::other(format!("{error:?}")))?;
        Ok(Self { files, root })
    }

    /// The folder of `bucket`, whose name s3s has checked.
    async fn bucket(&self, bucket: &str) -> S3Result<PathBuf> {
        let folder = self.root.join(bucket);
        if is_folder(&folder).await? {
            Ok(folder)
        } else {
            Err(s3_error!(
                NoSuchBucket,
                "The specified bucket does not exist"
            ))
        }
    }

    /// The path of an object that may or may not exist, in a bucket that does.
    async fn path(&self, bucket: &str, key: &str) -> S3Result<PathBuf> {
        let folder = self.bucket(bucket).await?;
        check(bucket, key, false)?;
        Ok(folder.join(key))
    }

    /// The path and the length of an object that exists.
    async fn object(&self, bucket: &str, key: &str) -> S3Result<(PathBuf, u64)> {
        let path = self.path(bucket, key).await?;
        match fs::metadata(&path).await {
            Ok(metadata) if metadata.is_file() => {
                self.forget_torn_attributes(bucket, key).await?;
                Ok((path, metadata.len()))
            }
            Ok(_) => Err(s3_error!(NoSuchKey, "The specified key does not exist")),
            Err(error) if is_absent(&error) => {
                Err(s3_error!(NoSuchKey, "The specified key does not exist"))
            }
            Err(error) => Err(S3Error::internal_error(error)),
        }
    }

    /// What a power cut has left of an unanswered PUT must not make the object unreadable.
    async fn forget_torn_attributes(&self, bucket: &str, key: &str) -> S3Result<()> {
        for file in key_rule::attribute_files(&self.root, bucket, key) {
            let Ok(kept) = fs::read(&file).await else {
                continue;
            };
            if serde_json::from_slice::<serde::de::IgnoredAny>(&kept).is_err() {
                tracing::warn!(
                    bucket,
                    key,
                    "what was kept beside an object is torn and forgotten"
                );
                remove_if_there(&file).await?;
            }
        }
        Ok(())
    }

    /// Makes sure that writing `key` replaces at most an object, and that nobody reads its old attributes with new bytes.
    async fn make_room(&self, bucket: &str, key: &str) -> S3Result<()> {
        let path = self.path(bucket, key).await?;
        let folder = self.root.join(bucket);
        for above in path
            .ancestors()
            .skip(1)
            .take_while(|above| *above != folder)
        {
            if fs::metadata(above)
                .await
                .is_ok_and(|metadata| metadata.is_file())
            {
                return Err(s3_error!(
                    InvalidArgument,
                    "a part of the key `{key}` is an object already"
                ));
            }
        }
        if !key.ends_with('/') && is_folder(&path).await? && fs::remove_dir(&path).await.is_err() {
            return Err(s3_error!(
                InvalidArgument,
                "there are objects below the key `{key}`"
            ));
        }
        let [internal, _] = key_rule::attribute_files(&self.root, bucket, key);
        remove_if_there(&internal).await
    }

    /// An answered PUT survives a power cut: the object, what is kept beside it, and the names of all folders above.
    async fn sync(&self, bucket: &str, key: &str) -> S3Result<()> {
        let path = self.path(bucket, key).await?;
        sync(&path).await.map_err(S3Error::internal_error)?;
        for file in key_rule::attribute_files(&self.root, bucket, key) {
            match sync(&file).await {
                Err(error) if !is_absent(&error) => return Err(S3Error::internal_error(error)),
                _ => {}
            }
        }
        let folders = path.ancestors().skip(1);
        for folder in folders.take_while(|folder| folder.starts_with(&self.root)) {
            sync(folder).await.map_err(S3Error::internal_error)?;
        }
        Ok(())
    }

    /// Removes an object with all that belongs to it; nothing happens when it is not there.
    async fn remove(&self, bucket: &str, key: &str) -> S3Result<()> {
        let path = self.path(bucket, key).await?;
        let is_file = fs::metadata(&path)
            .await
            .is_ok_and(|metadata| metadata.is_file());
        if is_file && !key.ends_with('/') {
            remove_if_there(&path).await?;
            for file in key_rule::attribute_files(&self.root, bucket, key) {
                remove_if_there(&file).await?;
            }
        }
        let folder = self.root.join(bucket);
        let first = if key.ends_with('/') { 0 } else { 1 };
        for above in path
            .ancestors()
            .skip(first)
            .take_while(|above| *above != folder)
        {
            // Fails for folders that still hold something, which end the walk.
            if fs::remove_dir(above).await.is_err() {
                break;
            }
        }
        Ok(())
    }
}

fn check(bucket: &str, key: &str, in_parts: bool) -> S3Result<()> {
    match key_rule::check_key(bucket, key, in_parts) {
        Ok(()) => Ok(()),
        Err(KeyProblem::Unsafe) => Err(s3_error!(
            InvalidArgument,
            "key `{}`: must have no empty, `.` or `..` part and no control character",
            key.escape_debug()
        )),
        Err(KeyProblem::TooLong) => Err(s3_error!(
            KeyTooLongError,
            "Your key is too long for the embedded server: about 160 bytes are possible"
        )),
    }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

/// Reads an object, again if it is replaced meanwhile: the backend looks whether a file of attributes is there before it reads
/// it, and one that goes in between is an internal error.
async fn undisturbed<T, Reading>(read: impl Fn() -> Reading + Send) -> S3Result<T>
where
    Reading: Future<Output = S3Result<T>> + Send,
{
    for _ in 1..READS_MAX {
        match read().await {
            Err(error) if *error.code() == S3ErrorCode::InternalError => {}
            answer => return answer,
        }
    }
    read().await
}

async fn is_folder(path: &Path) -> S3Result<bool> {
    match fs::metadata(path).await {
        Ok(metadata) => Ok(metadata.is_dir()),
        Err(error) if is_absent(&error) => Ok(false),
        Err(error) => Err(S3Error::internal_error(error)),
    }
}

async fn remove_if_there(path: &Path) -> S3Result<()> {
    match fs::remove_file(path).await {
        Err(error) if !is_absent(&error) => Err(S3Error::internal_error(error)),
        _ => Ok(()),
    }
}

/// Brings a file or the names in a folder to the disk itself.
async fn sync(path: &Path) -> io::Result<()> {
    fs::File::open(path).await?.sync_all().await
}

fn source(copy_source: &CopySource) -> S3Result<(&str, &str)> {
    match copy_source {
        CopySource::Bucket { bucket, key, .. } => Ok((bucket, key)),
        _ => Err(s3_error!(NotImplemented)),
    }
}

/// The backend walks characters as bytes at the delimiter, and names its keys unencoded.
fn check_delimiter(delimiter: Option<&str>) -> S3Result<()> {
    match delimiter {
        Some(delimiter) if delimiter != "/" => Err(s3_error!(
            InvalidArgument,
            "delimiter `{delimiter}`: must be /"
        )),
        _ => Ok(()),
    }
}

#[async_trait::async_trait]
impl S3 for BucketFiles {
    async fn create_bucket(
        &self,
        req: S3Request<CreateBucketInput>,
    ) -> S3Result<S3Response<CreateBucketOutput>> {
        let location = Some(format!("/{}", req.input.bucket));
        // As us-east-1 does: making one's own bucket again changes nothing.
        if !is_folder(&self.root.join(&req.input.bucket)).await? {
            self.files.create_bucket(req).await?;
            sync(&self.root).await.map_err(S3Error::internal_error)?;
        }
        Ok(S3Response::new(CreateBucketOutput { location }))
    }

    async fn head_bucket(
        &self,
        req: S3Request<HeadBucketInput>,
    ) -> S3Result<S3Response<HeadBucketOutput>> {
        self.bucket(&req.input.bucket).await?;
        let bucket_region = Some(crate::config::REGION.to_owned());
        Ok(S3Response::new(HeadBucketOutput {
            bucket_region,
            ..HeadBucketOutput::default()
        }))
    }

    async fn delete_bucket(
        &self,
        req: S3Request<DeleteBucketInput>,
    ) -> S3Result<S3Response<DeleteBucketOutput>> {
        let folder = self.bucket(&req.input.bucket).await?;
        match fs::remove_dir(&folder).await {
            Ok(()) => Ok(S3Response::with_status(
                DeleteBucketOutput {},
                http::StatusCode::NO_CONTENT,
            )),
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Err(s3_error!(
                BucketNotEmpty,
                "The bucket you tried to delete is not empty"
            )),
            Err(error) => Err(S3Error::internal_error(error)),
        }
    }

    async fn get_bucket_location(
        &self,
        req: S3Request<GetBucketLocationInput>,
    ) -> S3Result<S3Response<GetBucketLocationOutput>> {
        self.bucket(&req.input.bucket).await?;
        self.files.get_bucket_location(req).await
    }

    async fn list_buckets(
        &self,
        req: S3Request<ListBucketsInput>,
    ) -> S3Result<S3Response<ListBucketsOutput>> {
        self.files.list_buckets(req).await
    }

    async fn list_objects(
        &self,
        mut req: S3Request<ListObjectsInput>,
    ) -> S3Result<S3Response<ListObjectsOutput>> {
        check_delimiter(req.input.delimiter.as_deref())?;
        req.input.encoding_type = None;
        self.files.list_objects(req).await
    }

    async fn list_objects_v2(
        &self,
        mut req: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        check_delimiter(req.input.delimiter.as_deref())?;
        req.input.encoding_type = None;
        self.files.list_objects_v2(req).await
    }

    async fn get_object(
        &self,
        mut req: S3Request<GetObjectInput>,
    ) -> S3Result<S3Response<GetObjectOutput>> {
        let key = req.input.key.clone();
        let (_, len) = self.object(&req.input.bucket, &key).await?;
        if matches!(req.input.range, Some(Range::Suffix { length }) if length > len) {
            // The last 100 bytes of 10 are all 10; the backend would look before the beginning.
            req.input.range = Some(Range::Suffix { length: len });
        }
        let mut response = undisturbed(|| self.files.get_object(req.clone())).await?;
        let output = &mut response.output;
        output.content_type = content_type(&key, output.content_type.take());
        output.cache_control = cache_control(&key, output.cache_control.take());
        output.accept_ranges = Some("bytes".to_owned());
        Ok(response)
    }

    async fn head_object(
        &self,
        req: S3Request<HeadObjectInput>,
    ) -> S3Result<S3Response<HeadObjectOutput>> {
        let key = req.input.key.clone();
        self.object(&req.input.bucket, &key).await?;
        let mut response = undisturbed(|| self.files.head_object(req.clone())).await?;
        let output = &mut response.output;
        output.content_type = content_type(&key, output.content_type.take());
        output.cache_control = cache_control(&key, output.cache_control.take());
        output.accept_ranges = Some("bytes".to_owned());
        Ok(response)
    }

    async fn put_object(
        &self,
        req: S3Request<PutObjectInput>,
    ) -> S3Result<S3Response<PutObjectOutput>> {
        let (bucket, key) = (req.input.bucket.clone(), req.input.key.clone());
        self.make_room(&bucket, &key).await?;
        let response = self.files.put_object(req).await?;
        self.sync(&bucket, &key).await?;
        Ok(response)
    }

    async fn copy_object(
        &self,
        req: S3Request<CopyObjectInput>,
    ) -> S3Result<S3Response<CopyObjectOutput>> {
        let (bucket, key) = source(&req.input.copy_source)?;
        let (from, _) = self.object(bucket, key).await?;
        let to = self.path(&req.input.bucket, &req.input.key).await?;
        if from != to {
            self.make_room(&req.input.bucket, &req.input.key).await?;
        }
        let (bucket, key) = (req.input.bucket.clone(), req.input.key.clone());
        let response = self.files.copy_object(req).await?;
        self.sync(&bucket, &key).await?;
        Ok(response)
    }

    async fn delete_object(
        &self,
        req: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        self.remove(&req.input.bucket, &req.input.key).await?;
        Ok(S3Response::with_status(
            DeleteObjectOutput::default(),
            http::StatusCode::NO_CONTENT,
        ))
    }

    async fn delete_objects(
        &self,
        req: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        let mut deleted = Vec::new();
        for object in req.input.delete.objects {
            self.remove(&req.input.bucket, &object.key).await?;
            deleted.push(DeletedObject {
                key: Some(object.key),
                ..DeletedObject::default()
            });
        }
        Ok(S3Response::new(DeleteObjectsOutput {
            deleted: Some(deleted),
            ..DeleteObjectsOutput::default()
        }))
    }

    async fn create_multipart_upload(
        &self,
        req: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        self.path(&req.input.bucket, &req.input.key).await?;
        check(&req.input.bucket, &req.input.key, true)?;
        self.files.create_multipart_upload(req).await
    }

    async fn upload_part(
        &self,
        req: S3Request<UploadPartInput>,
    ) -> S3Result<S3Response<UploadPartOutput>> {
        self.path(&req.input.bucket, &req.input.key).await?;
        self.files.upload_part(req).await
    }

    async fn upload_part_copy(
        &self,
        req: S3Request<UploadPartCopyInput>,
    ) -> S3Result<S3Response<UploadPartCopyOutput>> {
        let (bucket, key) = source(&req.input.copy_source)?;
        self.object(bucket, key).await?;
        self.path(&req.input.bucket, &req.input.key).await?;
        self.files.upload_part_copy(req).await
    }

    async fn list_parts(
        &self,
        req: S3Request<ListPartsInput>,
    ) -> S3Result<S3Response<ListPartsOutput>> {
        self.path(&req.input.bucket, &req.input.key).await?;
        self.files.list_parts(req).await
    }

    async fn complete_multipart_upload(
        &self,
        req: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let (bucket, key) = (req.input.bucket.clone(), req.input.key.clone());
        self.make_room(&bucket, &key).await?;
        let response = self.files.complete_multipart_upload(req).await?;
        self.sync(&bucket, &key).await?;
        Ok(response)
    }

    async fn abort_multipart_upload(
        &self,
        req: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        self.path(&req.input.bucket, &req.input.key).await?;
        self.files.abort_multipart_upload(req).await
    }
}
