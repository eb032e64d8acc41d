use std::time::Duration;

/// The Redshift that is exported to, and how it is spoken to.
#[derive(Debug, Clone)]
pub struct Target {
    pub place: Place,
    pub database: String,
    /// Secrets Manager's secret with the database's user and password. None: temporary credentials of the caller's own identity.
    pub secret_arn: Option<String>,
    /// The schema of the star. Kassa's own tables are in `<schema>_kassa`.
    pub schema: String,
    /// The role by which COPY reads the bucket: its ARN, or `default` for the one that is attached as such.
    pub iam_role: String,
    pub region: String,
    /// None: Amazon's of the region.
    pub endpoint: Option<String>,
    /// The lake's own name; a schema belongs to one lake.
    pub lake: String,
    /// The folder in the lake's bucket for manifests and what is remembered of loads.
    pub folder: String,
    /// How long an API that does not answer is asked again.
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

    /// As it is named in messages.
    pub(crate) fn name(&self) -> String {
        let place = match &self.place {
            Place::Workgroup(name) => name,
            Place::Cluster { id, .. } => id,
        };
        let via = self.endpoint.as_deref().map_or(String::new(), |endpoint| format!(" at {endpoint}"));
        format!("the Data API of {} ({place}/{}){via}", self.region, self.database)
    }
}
