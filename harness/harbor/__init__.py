"""Harbor's task format (harborframework.com, schema 1.4): our tasks written as Harbor's.

``export`` writes a task's folder. Of the others, ``verify`` runs in Harbor's verifier, ``files/start.py`` beside the
agent: what they are given lies in that folder, and nothing of the agent's side comes from ours.
"""
