# One command runs, one tests: see README.md. Everything is installed into .venv, once; PYTHON names the interpreter.

PYTHON ?= python3
VENV := $(CURDIR)/.venv
BIN := $(VENV)/bin
STAMP := $(VENV)/installed
PORT ?= 11112
RUN_INDEX := $(CURDIR)/build/run.sqlite

.DEFAULT_GOAL := help
.PHONY: help setup run test lint style docs bench conformance clean

help:
	@echo 'make run          index the DICOM files that pydicom ships and serve them on port $(PORT)'
	@echo 'make test         run the tests'
	@echo 'make lint         check style, types and layers'
	@echo 'make docs         build the documentation site into build/site'
