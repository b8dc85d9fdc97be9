import '@fontsource-variable/inter';
import './style.css';
import { createRoot } from 'react-dom/client';
import { App } from './app';
import { resume } from './session';

createRoot(document.getElementById('root')!).render(<App />);
void resume();
