"""Configuration: kojid.conf and its command line, adjutant.yaml, environment variables.

`load_kojid_options` (module `kojid_cli`) and `load_adjutant_config` (module `adjutant`) are the two ways in.
"""
