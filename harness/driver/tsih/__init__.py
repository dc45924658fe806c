"""The driver: guests as names, targets under test, scenarios that read as stories.

A scenario is a pytest function; the fixtures (`lab`, `target`, `initiator`, `story`) come from
`tsih.plugin`. What a run leaves behind is described in RUN_FOLDER.md.
"""
