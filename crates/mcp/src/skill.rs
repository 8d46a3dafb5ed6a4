//! How to use a registry, for agents that load skills. See agentskills, "SKILL.md", and SEP-2640 for how MCP has them.

use rmcp::model::{Resource, ResourceContents, Skill, SkillFrontmatter, SkillResource, SkillResources};

/// The skill, as `SKILL.md`.
pub const SKILL: &str = include_str!("../skills/glassbox/SKILL.md");

/// Where clients of MCP read it.
pub(crate) const URI: &str = "skill://glassbox/SKILL.md";

const MEDIA_TYPE: &str = "text/markdown";

/// Returns the skill as lists have it.
pub(crate) fn listed() -> Skill {
    let file = SkillResource::from_bytes(URI, SKILL.as_bytes());
    Skill::new(URI, frontmatter(), SkillResources::Files(vec![file]))
}

/// Returns its one file as a resource.
pub(crate) fn resource() -> Resource {
    let SkillFrontmatter { name, description, .. } = frontmatter();
    let mut resource = Resource::new(URI, name).with_description(description).with_mime_type(MEDIA_TYPE);
    resource.size = Some(SKILL.len() as u64);
    resource
}

/// Returns the file.
pub(crate) fn contents() -> ResourceContents {
    ResourceContents::text(SKILL, URI).with_mime_type(MEDIA_TYPE)
}

/// Reads what stands between the dashes, of which ours is a line for each field.
fn frontmatter() -> SkillFrontmatter {
    let lines = SKILL.lines().skip(1).take_while(|line| *line != "---");
    let fields = lines.filter_map(|line| line.split_once(": "));
    fields.fold(SkillFrontmatter::new("", ""), |mut read, (name, value)| {
        match name {
            "name" => read.name = value.into(),
            "description" => read.description = value.into(),
            other => read = read.with_field(other, value),
        }
        read
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_skill_is_what_its_specification_asks_for() {
        let skill = listed();
        skill.validate().expect("a skill");
        assert!(skill.frontmatter.description.len() <= 1_024);
        assert_eq!(skill.frontmatter.extra["license"], "Apache-2.0");
    }
}
