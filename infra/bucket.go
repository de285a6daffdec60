package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/s3"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// sampleObject is the file, at the root, and the key of the object.
const sampleObject = "sample.json"

// source is what the function reads: a bucket's objects whose keys begin with
// prefix.
type source struct {
	bucket pulumi.StringOutput
	arn    pulumi.StringOutput
	prefix string
	sample pulumi.StringOutput // the key of the sample object; empty in a bucket that is not the stack's own
}

// newSource makes the sample bucket, unless the configuration names a bucket.
// That one is no resource of the stack: nothing writes, configures or deletes
// it.
func newSource(ctx *pulumi.Context, cfg config) (source, error) {
	if cfg.bucket != "" {
		return source{
			bucket: pulumi.String(cfg.bucket).ToStringOutput(),
			arn:    pulumi.String("arn:aws:s3:::" + cfg.bucket).ToStringOutput(),
			prefix: cfg.prefix,
			sample: pulumi.String("").ToStringOutput(),
		}, nil
	}
	b, err := newSampleBucket(ctx)
	if err != nil {
		return source{}, err
	}
	return source{bucket: b.name, arn: b.arn, sample: b.key}, nil
}

// sampleBucket is a private bucket with the sample object in it.
type sampleBucket struct {
	pulumi.ResourceState

	name pulumi.StringOutput
	arn  pulumi.StringOutput
	key  pulumi.StringOutput
}

func newSampleBucket(ctx *pulumi.Context) (*sampleBucket, error) {
	b := &sampleBucket{}
	name := ctx.Project() + "-sample"
	if err := ctx.RegisterComponentResource("lambda-parallel-io:infra:SampleBucket", name, b); err != nil {
		return nil, err
	}
	child := pulumi.Parent(b)

	bucket, closed, err := newPrivateBucket(ctx, name, child)
	if err != nil {
		return nil, err
	}
	object, err := newSampleObject(ctx, name, bucket, child, pulumi.DependsOn(closed))
	if err != nil {
		return nil, err
	}

	b.name, b.arn, b.key = bucket.ID().ToStringOutput(), bucket.Arn, object.Key
	return b, ctx.RegisterResourceOutputs(b, pulumi.Map{"bucketName": b.name, "bucketArn": b.arn, "objectKey": b.key})
}

// newPrivateBucket makes an encrypted bucket that nobody reaches from outside
// of the account or without TLS. What is put into it waits for closed.
func newPrivateBucket(ctx *pulumi.Context, name string, child pulumi.ResourceOption) (bucket *s3.BucketV2, closed []pulumi.Resource, err error) {
	bucket, err = s3.NewBucketV2(ctx, name, &s3.BucketV2Args{
		ForceDestroy: pulumi.Bool(true), // what is in it can be made again, and destroy is one command
	}, child)
	if err != nil {
		return nil, nil, err
	}
	private, err := s3.NewBucketPublicAccessBlock(ctx, name, &s3.BucketPublicAccessBlockArgs{
		Bucket:                bucket.ID(),
		BlockPublicAcls:       pulumi.Bool(true),
		BlockPublicPolicy:     pulumi.Bool(true),
		IgnorePublicAcls:      pulumi.Bool(true),
		RestrictPublicBuckets: pulumi.Bool(true),
	}, child)
	if err != nil {
		return nil, nil, err
	}
	encrypted, err := s3.NewBucketServerSideEncryptionConfigurationV2(ctx, name, &s3.BucketServerSideEncryptionConfigurationV2Args{
		Bucket: bucket.ID(),
		Rules: s3.BucketServerSideEncryptionConfigurationV2RuleArray{
			s3.BucketServerSideEncryptionConfigurationV2RuleArgs{
				ApplyServerSideEncryptionByDefault: s3.BucketServerSideEncryptionConfigurationV2RuleApplyServerSideEncryptionByDefaultArgs{
					SseAlgorithm: pulumi.String("AES256"),
				},
			},
		},
	}, child)
	if err != nil {
		return nil, nil, err
	}
	// S3 answers 409 to a policy and an access block that change at once, so
	// the one waits for the other.
	tls, err := s3.NewBucketPolicy(ctx, name, &s3.BucketPolicyArgs{
		Bucket: bucket.ID(),
		Policy: bucket.Arn.ApplyT(func(arn string) (string, error) { return onlyTLS(arn).document() }).(pulumi.StringOutput),
	}, child, pulumi.DependsOn([]pulumi.Resource{private}))
	return bucket, []pulumi.Resource{private, encrypted, tls}, err
}

// newSampleObject uploads the file with a CRC32: the checksum that a reader
// validates at the least cost (1.5 us for 9 KB; CRC64NVME takes 26, SHA-256 74).
// S3 keeps that of the whole object for an upload in one part, which the
// provider's is below 5 MB; the SDK validates no other.
//
// The hash is what replaces the object when the file changes. The ETag would
// do so only while it is an MD5, which it is not after an upload in parts.
func newSampleObject(ctx *pulumi.Context, name string, bucket *s3.BucketV2, opts ...pulumi.ResourceOption) (*s3.BucketObjectv2, error) {
	path := filepath.Join(ctx.RootDirectory(), sampleObject)
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the object to upload: %w", err)
	}
	hash := sha256.Sum256(content)
	return s3.NewBucketObjectv2(ctx, name, &s3.BucketObjectv2Args{
		Bucket:            bucket.ID(),
		Key:               pulumi.String(sampleObject),
		Source:            pulumi.NewFileAsset(path),
		SourceHash:        pulumi.String(hex.EncodeToString(hash[:])),
		ContentType:       pulumi.String("application/json"),
		ChecksumAlgorithm: pulumi.String("CRC32"),
	}, opts...)
}
