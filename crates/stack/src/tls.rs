//! Certificates for one server and one client from their own authority, new each time.

use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose};

use crate::StackError;

/// PEM texts. The server's certificate is for `localhost` and 127.0.0.1.
#[derive(Debug, Clone)]
pub struct Certificates {
    pub ca: String,
    pub server: String,
    pub server_key: String,
    pub client: String,
    pub client_key: String,
}

impl Certificates {
    pub fn generate() -> Result<Self, StackError> {
        let mut authority = CertificateParams::new(Vec::default())?;
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.distinguished_name.push(DnType::CommonName, "kassa stack CA");
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate()?;
        let ca = authority.self_signed(&key)?.pem();
        let issuer = Issuer::new(authority, key);
        let (server, server_key) = leaf("localhost", vec!["localhost".into(), "127.0.0.1".into()], &issuer)?;
        let (client, client_key) = leaf("kassa-client", Vec::new(), &issuer)?;
        Ok(Self { ca, server, server_key, client, client_key })
    }
}

fn leaf(name: &str, hosts: Vec<String>, issuer: &Issuer<'_, KeyPair>) -> Result<(String, String), StackError> {
    let mut params = CertificateParams::new(hosts)?;
    params.distinguished_name.push(DnType::CommonName, name);
    params.use_authority_key_identifier_extension = true;
    params.key_usages.push(KeyUsagePurpose::DigitalSignature);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    let key = KeyPair::generate()?;
    Ok((params.signed_by(&key, issuer)?.pem(), key.serialize_pem()))
}
