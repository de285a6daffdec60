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

// sampleObject is the name of the sample file at the root, and the object's key.
const sampleObject = "sample.json"

// source describes the objects that the function reads: those in bucket whose keys
// begin with prefix.
type source struct {
	bucket pulumi.StringOutput
	arn    pulumi.StringOutput
	prefix string
	sample pulumi.StringOutput // the key of the sample object; empty for an existing bucket
}

// newSource creates the sample bucket, unless the configuration names an existing
// bucket. An existing bucket is not a resource of the stack: nothing writes to it,
// configures it or deletes it.
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

// sampleBucket is a private bucket with the sample object.
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

	bucket, protection, err := newPrivateBucket(ctx, name, child)
	if err != nil {
		return nil, err
	}
	object, err := newSampleObject(ctx, name, bucket, child, pulumi.DependsOn(protection))
	if err != nil {
		return nil, err
	}

	b.name, b.arn, b.key = bucket.ID().ToStringOutput(), bucket.Arn, object.Key
	return b, ctx.RegisterResourceOutputs(b, pulumi.Map{"bucketName": b.name, "bucketArn": b.arn, "objectKey": b.key})
}

// newPrivateBucket creates an encrypted bucket that cannot be reached from outside
// the account or without TLS. Objects put into it must depend on protection.
func newPrivateBucket(ctx *pulumi.Context, name string, child pulumi.ResourceOption) (bucket *s3.BucketV2, protection []pulumi.Resource, err error) {
	bucket, err = s3.NewBucketV2(ctx, name, &s3.BucketV2Args{
		ForceDestroy: pulumi.Bool(true), // its objects can be recreated, and destroy must be one command
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
	// S3 answers 409 if a policy and an access block change at the same time, so
	// the policy waits for the access block.
	tls, err := s3.NewBucketPolicy(ctx, name, &s3.BucketPolicyArgs{
		Bucket: bucket.ID(),
		Policy: bucket.Arn.ApplyT(func(arn string) (string, error) { return onlyTLS(arn).document() }).(pulumi.StringOutput),
	}, child, pulumi.DependsOn([]pulumi.Resource{private}))
	return bucket, []pulumi.Resource{private, encrypted, tls}, err
}

// newSampleObject uploads the file with a CRC32, the checksum that costs a reader
// the least CPU (1.5 us for 9 KB; CRC64NVME takes 26, SHA-256 74). S3 stores a
// checksum of the whole object only for an upload in one part, as the provider
// makes below 5 MB. The SDK validates no other checksum.
//
// SourceHash makes Pulumi replace the object when the file changes. The ETag would
// do so only if it is an MD5, and it is not after an upload in parts.
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
