use std::time::Duration;

/// The target Redshift and its connection settings.
#[derive(Debug, Clone)]
pub struct Target {
    pub place: Place,
    pub database: String,
    /// The secret in Secrets Manager with the database's user and password. `None`: temporary
    /// credentials of the caller's identity.
    pub secret_arn: Option<String>,
    /// The schema of the star schema. Kassa's own tables are in `<schema>_kassa`.
    pub schema: String,
    /// The role with which COPY reads the bucket: its ARN, or `default` for Redshift's default
    /// role.
    pub iam_role: String,
    pub region: String,
    /// `None`: Amazon's in the region.
    pub endpoint: Option<String>,
    /// The lake's name; a schema belongs to one lake.
    pub lake: String,
    /// The folder in the lake's bucket for manifests and file lists of loads.
    pub folder: String,
    /// How long to retry while the API does not answer.
    pub patience: Duration,
}

/// A serverless workgroup, or a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    Workgroup(String),
    Cluster { id: String, db_user: Option<String> },
}

impl Target {
    /// The schema of positions and staging tables.
    pub(crate) fn own_schema(&self) -> String {
        format!("{}_kassa", self.schema)
    }

    /// The name in messages.
    pub(crate) fn name(&self) -> String {
        let place = match &self.place {
            Place::Workgroup(name) => name,
            Place::Cluster { id, .. } => id,
        };
        let via = self.endpoint.as_deref().map_or(String::new(), |endpoint| format!(" at {endpoint}"));
        format!("the Data API of {} ({place}/{}){via}", self.region, self.database)
    }
}
