"""The cases, one module an area. Each has a list `CASES`; `generate.py` writes `<module>.safetensors` for it."""
