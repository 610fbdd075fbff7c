"""What a visitor takes away: files of a run, the code of a run, a handout. Text and bytes only, no Streamlit."""
