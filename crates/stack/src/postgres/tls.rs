//! Certificates of an authority that exists for one server only.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use super::program::Programs;
use super::{PostgresError, io};

/// The files of the certificates, as PEM.
#[derive(Debug, Clone)]
pub struct Certificates {
    pub authority: PathBuf,
    /// An authority that has signed none of these certificates.
    pub stranger: PathBuf,
    /// The certificate of a client whose name is `kassa`.
    pub client: PathBuf,
    pub client_key: PathBuf,
}

/// Creates a server certificate for `localhost` only: it is not valid for the IP address.
pub(super) fn make(programs: &Programs, dir: &Path) -> Result<Certificates, PostgresError> {
    let keep = |name: &str, text: String| -> Result<PathBuf, PostgresError> {
        let path = dir.join(name);
        fs::write(&path, text).map_err(io(name))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).map_err(io(name))?;
        programs.own(&path)?;
        Ok(path)
    };
    let (authority, issuer) = authority("kassa test authority")?;
    let (stranger, _) = self::authority("a stranger")?;
    let server_key = KeyPair::generate()?;
    let server = CertificateParams::new(vec!["localhost".to_owned()])?.signed_by(&server_key, &issuer)?;
    let client_key = KeyPair::generate()?;
    let mut client = CertificateParams::new(Vec::new())?;
    client.distinguished_name.push(DnType::CommonName, "kassa");
    let client = client.signed_by(&client_key, &issuer)?;
    keep("server.crt", server.pem())?;
    keep("server.key", server_key.serialize_pem())?;
    Ok(Certificates {
        authority: keep("ca.crt", authority)?,
        stranger: keep("stranger.crt", stranger)?,
        client: keep("client.crt", client.pem())?,
        client_key: keep("client.key", client_key.serialize_pem())?,
    })
}

fn authority(name: &str) -> Result<(String, Issuer<'static, KeyPair>), PostgresError> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    let pem = params.self_signed(&key)?.pem();
    Ok((pem, Issuer::new(params, key)))
}
